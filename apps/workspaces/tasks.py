"""What workers do for workspaces: each task makes one call."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.workspaces.services.invitations import expire_invitations
from apps.workspaces.services.lifecycle import settle_closing_workspaces
from apps.workspaces.services.purge import purge_due_workspaces
from apps.workspaces.services.slots import keep_pool


@shared_task(name="workspaces.keep_pool")
def keep_pool_task() -> None:
    keep_pool(now=timezone.now())


@shared_task(name="workspaces.purge_due")
def purge_due_task() -> None:
    now = timezone.now()
    settle_closing_workspaces(now=now)
    purge_due_workspaces(now=now)


@shared_task(name="workspaces.expire_invitations")
def expire_invitations_task() -> None:
    expire_invitations(now=timezone.now())
