"""Queries about apps, and rows that never change."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from django.db.models import Q

from apps.applications.errors import NeverChanges
from apps.common.ids import parse_id
from apps.common.querysets import TenantQuerySet


class AppQuerySet(TenantQuerySet[Any]):
    """Apps of the entered workspace."""

    def named(self, ref: str) -> Self:
        """The one with this id or slug."""
        identifier = parse_id(ref)
        if "\x00" in ref:
            return self.none()
        return self.filter(pk=identifier) if identifier else self.filter(slug=ref)

    def for_display(self) -> Self:
        """With the numbers of the current release, without any definition: those are large and shown nowhere here."""
        return self.select_related("current_release__version").only(
            *_SHOWN, "current_release__sequence", "current_release__version__number"
        )

    def matching(self, words: str) -> Self:
        """Those whose name, slug or description contains ``words``."""
        return self.filter(Q(name__icontains=words) | Q(slug__icontains=words) | Q(description__icontains=words))


_SHOWN = (
    "slug",
    "name",
    "description",
    "origin",
    "status",
    "draft_revision",
    "sunset_at",
    "deprecated_at",
    "created_at",
    "updated_at",
)


class AppendOnlyQuerySet(TenantQuerySet[Any]):
    """Rows that are written once. They go only together with their app."""

    def update(self, **kwargs: Any) -> NoReturn:
        self._refuse("changed")

    def _update(self, values: Any) -> NoReturn:
        self._refuse("changed")

    def bulk_update(self, objs: Any, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("changed")

    def delete(self) -> NoReturn:
        self._refuse("deleted")

    def erase_with_app(self) -> int:
        """Delete these rows; for the deletion of their app alone, in its transaction."""
        return super().delete()[0]

    def _refuse(self, verb: str) -> NoReturn:
        raise NeverChanges(f"{self.model.__name__} rows are never {verb}.")
