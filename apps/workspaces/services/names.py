"""What workspaces are called, for apps below."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.db.models import Q

from apps.common.workspace_names import set_workspace_names
from apps.workspaces.models import Workspace


class Directory:
    """Read from the table of workspaces."""

    def slugs_of(self, ids: Collection[UUID]) -> Mapping[UUID, str]:
        return dict(Workspace.objects.filter(pk__in=ids).values_list("pk", "slug"))

    def find_ids(self, text: str, *, limit: int) -> Sequence[UUID]:
        named = Q(slug__icontains=text) | Q(name__icontains=text) | Q(display_name__icontains=text)
        return list(Workspace.objects.filter(named).order_by("slug").values_list("pk", flat=True)[:limit])


set_workspace_names(Directory())
