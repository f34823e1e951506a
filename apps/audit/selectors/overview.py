"""The newest acts, for start pages."""

from __future__ import annotations

from apps.audit.models import AuditEvent


def latest_acts(*, limit: int) -> list[AuditEvent]:
    """The newest acts of the entered workspace, or of the platform outside of one."""
    return list(AuditEvent.objects.order_by("-at", "-id")[:limit])
