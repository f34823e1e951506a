"""What workers do for workspaces: each task makes one call."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.workspaces.services.due_work import do_due_work, sweep_due_work
from apps.workspaces.services.invitations import expire_invitations
from apps.workspaces.services.lifecycle import settle_closing_workspaces
from apps.workspaces.services.purge import purge_due_workspaces
from apps.workspaces.services.retention import begin_missing_retention
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


@shared_task(name="workspaces.sweep_due_work")
def sweep_due_work_task() -> None:
    sweep_due_work(now=timezone.now())


@shared_task(name="workspaces.do_due_work")
def do_due_work_task(due_work_id: str, claim: str) -> None:
    do_due_work(due_work_id=UUID(due_work_id), claim=datetime.fromisoformat(claim), now=timezone.now())


@shared_task(name="workspaces.begin_missing_retention")
def begin_missing_retention_task() -> None:
    begin_missing_retention(now=timezone.now())
