"""What billing does when something happens below it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from apps.billing.services.quotas import open_quotas
from apps.workspaces.signals import workspace_created


@receiver(workspace_created, dispatch_uid="billing.quotas")
def give_quotas(*, workspace: Any, now: datetime, **_: Any) -> None:
    """An active workspace has a quota in every dimension."""
    open_quotas(workspace=workspace, now=now)
