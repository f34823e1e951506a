"""What workers do for workspaces: each task makes one call."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.workspaces.services.invitation_mail import send_invitation, send_waiting_invitations
from apps.workspaces.services.invitations import expire_invitations


@shared_task(name="workspaces.send_invitation")
def send_invitation_task(invitation_id: str) -> None:
    send_invitation(invitation_id=UUID(invitation_id), now=timezone.now())


@shared_task(name="workspaces.send_waiting_invitations")
def send_waiting_invitations_task() -> None:
    send_waiting_invitations(now=timezone.now())


@shared_task(name="workspaces.expire_invitations")
def expire_invitations_task() -> None:
    expire_invitations(now=timezone.now())
