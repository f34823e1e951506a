"""Workspaces for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.core import mail
from django.utils import timezone

from apps.accounts.services.mail import deliver_due_mail
from apps.common.actors import SYSTEM
from apps.common.schema_ddl import release_fingerprint
from apps.workspaces.models import Membership, Role, SchemaSlot, Workspace
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.slots import add_slot, make_slot

_numbers = count(1)


def create_test_workspace(*, owner: Any, slug: str | None = None, name: str = "Test workspace") -> Workspace:
    """An active workspace that ``owner`` owns, made by the service; the pool is filled first when it is empty."""
    if not _pool_has_one():
        make_slot(slot_id=add_slot().pk)
    return create_workspace(
        owner=owner, slug=slug or f"team-{next(_numbers)}", name=name, actor=SYSTEM, now=timezone.now()
    )


def _pool_has_one() -> bool:
    return SchemaSlot.objects.ready(release_fingerprint()).exists()


def add_member(workspace: Workspace, user: Any, role: Role | str = "developer") -> Membership:
    """``user`` as an active member with a built-in role (by code) or a custom one."""
    given = Role.objects.get(workspace=None, code=role) if isinstance(role, str) else role
    return Membership.objects.create(workspace=workspace, user=user, role=given, joined_at=timezone.now())


def token_from_mail() -> str:
    """What whoever was invited last finds in their mail."""
    deliver_due_mail(now=timezone.now())
    return str(mail.outbox[-1].body).partition("/invitations/accept?token=")[2].split()[0]
