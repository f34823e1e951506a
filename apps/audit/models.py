"""What was done, by whom, to what: once in the public schema, once in each workspace's."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from apps.audit.errors import TrailIsAppendOnly
from apps.audit.querysets import AuditEventQuerySet
from apps.common.models import TenantModel
from apps.common.querysets import TenantManager


class AuditEvent(TenantModel):
    """One act. Append-only: there is no way to change or delete one but retention.

    ``actor_*`` and ``target_*`` are as they were then; ``changes`` is ``{field: [before, after]}``, secrets masked.
    """

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=254, blank=True)
    impersonator_id = models.UUIDField(null=True)
    impersonator_name = models.CharField(max_length=254, blank=True)
    action = models.CharField(max_length=80)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=80, blank=True)
    target_name = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True)

    objects: Any = TenantManager.of(AuditEventQuerySet)

    class Meta(TenantModel.Meta):
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_newest_first"),
            models.Index(fields=["action", "-at"], name="audit_by_action"),
            models.Index(fields=["target_kind", "target_id", "-at"], name="audit_by_target"),
            models.Index(fields=["actor_id", "-at"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_name}"

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        """Raises TrailIsAppendOnly for an act that is written already."""
        if not self._state.adding:
            raise TrailIsAppendOnly
        super().save_base(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TrailIsAppendOnly
