"""Workspaces for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.utils import timezone

from apps.workspaces.models import Membership, Role, SchemaSlot, Workspace
from apps.workspaces.states import SlotStatus, WorkspaceStatus

_numbers = count(1)


def create_test_workspace(*, owner: Any, slug: str | None = None, name: str = "Test workspace") -> Workspace:
    """An active workspace that ``owner`` owns, in a schema from the pool."""
    slot = SchemaSlot.objects.filter(status=SlotStatus.READY).first()
    assert slot is not None, "the test template has too few slots"
    slot.status = SlotStatus.CLAIMED
    slot.save()
    made = Workspace.objects.create(
        slug=slug or f"team-{next(_numbers)}",
        name=name,
        schema_name=slot.schema_name,
        fingerprint=slot.fingerprint,
        owner=owner,
        status=WorkspaceStatus.ACTIVE,
    )
    Membership.objects.create(
        workspace=made, user=owner, role=Role.objects.get(workspace=None, code="owner"), joined_at=timezone.now()
    )
    return made
