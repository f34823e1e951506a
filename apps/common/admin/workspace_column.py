"""Whose a row is, in tables of apps that lie below workspaces and know their ids only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from apps.common.workspace_names import workspace_names

_NAMED_WORKSPACES = 50


class NamesWorkspaces:
    """A table in the operators' console whose rows have a ``workspace_id``: offers the column ``workspace``, read for
    the whole list at once, and finds rows by their workspace's slug or name, too.
    """

    def get_changelist_instance(self: Any, request: HttpRequest) -> Any:
        """The list, with the names of its workspaces read at once."""
        changes = super().get_changelist_instance(request)  # type: ignore[misc]
        rows = list(changes.result_list)
        slugs = workspace_names().slugs_of({row.workspace_id for row in rows if row.workspace_id})
        for row in rows:
            row.workspace_slug = slugs.get(row.workspace_id, "")
        changes.result_list = rows
        return changes

    def get_search_results(
        self: Any, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what is stored, and by what the workspace is called."""
        found, duplicates = super().get_search_results(request, queryset, search_term)  # type: ignore[misc]
        words = search_term.strip().lower()
        if words:
            found |= queryset.filter(workspace_id__in=workspace_names().find_ids(words, limit=_NAMED_WORKSPACES))
        return found, duplicates

    @display(description="workspace", ordering="workspace_id")
    def workspace(self, row: Any) -> str:
        return link_workspace(row.workspace_id, getattr(row, "workspace_slug", None)) or "–"


def link_workspace(workspace_id: UUID | None, slug: str | None = None) -> str:
    """The workspace's slug with the way to it, read unless it is given; its id when it has no name any more."""
    if workspace_id is None:
        return ""
    known = workspace_names().slugs_of({workspace_id}).get(workspace_id) if slug is None else slug
    if not known:
        return str(workspace_id)
    return format_html('<a href="{}">{}</a>', reverse("admin:workspaces_workspace_change", args=[workspace_id]), known)
