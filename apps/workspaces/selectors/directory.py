"""Finding workspaces: by reference, by person, by state."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from apps.common.ids import parse_id
from apps.workspaces.models import SchemaSlot, Workspace
from apps.workspaces.states import MembershipStatus, WorkspaceStatus


def find_workspace(ref: str) -> Workspace | None:
    """The workspace with this id or slug; None when there is none."""
    identifier = parse_id(ref)
    return Workspace.objects.filter(**({"id": identifier} if identifier else {"slug": ref})).first()


def workspaces_of(user: Any, *, query: str = "") -> QuerySet[Workspace]:
    """The workspaces in which ``user`` is an active member, by name; ``query`` is looked for in name and slug."""
    found = Workspace.objects.filter(memberships__user=user.pk, memberships__status=MembershipStatus.ACTIVE).exclude(
        status=WorkspaceStatus.PURGED
    )
    if query:
        found = found.filter(Q(slug__icontains=query) | Q(name__icontains=query) | Q(display_name__icontains=query))
    return found.order_by("name", "id")


def workspaces_without_due_work(kind: str, *, limit: int) -> list[UUID]:
    """Up to ``limit`` workspaces with a schema for which nothing of this kind is due at any time, in order of id."""
    lacking = Workspace.objects.with_schema().without_due_work(kind).order_by("pk")
    return list(lacking.values_list("pk", flat=True)[:limit])


def workspaces_on_plan(plan_code: str, *, after: UUID | None, limit: int) -> list[Workspace]:
    """Up to ``limit`` workspaces with a schema on this plan, in order of id, behind the one with the id ``after``."""
    found = Workspace.objects.with_schema().filter(plan_code=plan_code)
    if after is not None:
        found = found.filter(pk__gt=after)
    return list(found.order_by("pk")[:limit])


def ids_on_plan(plan_code: str) -> QuerySet[Any]:
    """A query of the ids of all workspaces with a schema on this plan."""
    return Workspace.objects.with_schema().filter(plan_code=plan_code).order_by().values("pk")


def count_on_plan(plan_code: str) -> int:
    """How many workspaces with a schema are on this plan."""
    return Workspace.objects.with_schema().filter(plan_code=plan_code).count()


def workspace_counts() -> dict[str, int]:
    """How many workspaces are in each state that any is in."""
    return dict(Workspace.objects.order_by().values_list("status").annotate(count=Count("id")))


def slot_counts() -> dict[str, int]:
    """How many schemas of the pool are in each state that any is in."""
    return dict(SchemaSlot.objects.order_by().values_list("status").annotate(count=Count("id")))
