"""Reading a trail."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.audit.models import AuditEvent


def acts_of_workspace() -> QuerySet[AuditEvent]:
    """The trail of the entered workspace, or of the platform outside of one; newest first."""
    trail: QuerySet[AuditEvent] = AuditEvent.objects.order_by("-at", "-id")
    return trail
