"""Who may visit an app."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.common.models import TenantModel


class AccessPolicy(TenantModel):
    """Who may open an app, how often, from where, and which sites may frame it. Each change counts the revision up."""

    class Audience(models.TextChoices):
        MEMBERS = "members", "Members"
        SIGNED_IN = "signed_in", "Anyone signed in"
        PUBLIC = "public", "Everyone"
        PASSWORD = "password", "Everyone with the password"
        LINK = "link", "Everyone with the link"

    app = models.OneToOneField("applications.App", on_delete=models.CASCADE, related_name="access_policy")
    audience = models.CharField(max_length=10, choices=Audience, default=Audience.MEMBERS)
    roles = ArrayField(models.CharField(max_length=40), default=list, blank=True, help_text="Of members; empty: all.")
    password_hash = models.CharField(max_length=256, blank=True, editable=False)
    link_token = models.CharField(max_length=64, blank=True, editable=False)
    visitor_limit = models.PositiveIntegerField(default=120, help_text="Requests a minute of one visitor.")
    app_limit = models.PositiveIntegerField(default=60000, help_text="Requests a minute of all visitors together.")
    session_seconds = models.PositiveIntegerField(default=86400)
    frame_ancestors = ArrayField(models.CharField(max_length=260), default=list, blank=True)
    addresses = ArrayField(
        models.CharField(max_length=49), default=list, blank=True, help_text="CIDR blocks; empty: all."
    )
    revision = models.PositiveIntegerField(default=1)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "access policies"

    def __str__(self) -> str:
        return self.audience
