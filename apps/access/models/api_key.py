"""Keys for programs."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.access.querysets import ApiKeyQuerySet
from apps.access.states import API_KEY_TRANSITIONS, ApiKeyStatus
from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel


class ApiKey(StatefulModel, TimestampedModel):
    """A program's credential in one workspace, acting for a membership and confined to scopes.

    The secret is kept as a SHA-256 only (it has 256 random bits, so a slow hash would protect nothing).
    """

    transitions = API_KEY_TRANSITIONS

    membership = models.ForeignKey("workspaces.Membership", on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=60), default=list)
    addresses = ArrayField(
        models.CharField(max_length=49), default=list, blank=True, help_text="CIDR blocks; empty: all."
    )
    status = models.CharField(max_length=8, choices=ApiKeyStatus, default=ApiKeyStatus.ACTIVE)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    replaced_by = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaces"
    )
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.PROTECT, related_name="+")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
