"""What the runtime needs to know of a workspace before it can enter it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.common.ids import parse_id
from apps.workspaces.models import Workspace


@dataclass(frozen=True, slots=True)
class VisitedWorkspace:
    """A workspace as a visitor's request sees it; enough to enter its schema."""

    id: UUID
    slug: str
    name: str
    schema_name: str
    status: str


def find_visited_workspace(ref: str) -> VisitedWorkspace | None:
    """The workspace with this id or slug, whatever its state; None when there is none. One query, no row kept."""
    identifier = parse_id(ref)
    rows = Workspace.objects.filter(id=identifier) if identifier else Workspace.objects.filter(slug=ref)
    found = rows.values_list("id", "slug", "name", "display_name", "schema_name", "status").first()
    if found is None:
        return None
    key, slug, name, display_name, schema_name, status = found
    return VisitedWorkspace(id=key, slug=slug, name=display_name or name, schema_name=schema_name, status=status)
