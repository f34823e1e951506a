"""Reading apps, their versions and releases in the entered workspace."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from apps.applications.definitions.differences import Difference, compare_definitions
from apps.applications.errors import AppNotFound, VersionNotFound
from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.applications.querysets import AppQuerySet
from apps.applications.states import AppStatus
from apps.common.compiled import CompiledSelect
from apps.common.ids import parse_id
from apps.workspaces.services.default_app import AppName

_by_id: CompiledSelect[App] = CompiledSelect(
    lambda identifier: App.objects.for_display().filter(pk=identifier), identifier=UUID
)
_by_slug: CompiledSelect[App] = CompiledSelect(lambda slug: App.objects.for_display().filter(slug=slug), slug=str)


def find_app(ref: str) -> App:
    """The app with this id or slug, with the numbers of its current release and without its draft; one query.

    Raises AppNotFound.
    """
    identifier = parse_id(ref)
    if "\x00" in ref:
        raise AppNotFound
    app = _by_slug.first(slug=ref) if identifier is None else _by_id.first(identifier=identifier)
    if app is None:
        raise AppNotFound
    return app


def find_app_id(ref: str) -> UUID | None:
    """The id of the app with this id or slug; None when there is none, or when it is archived."""
    found: UUID | None = App.objects.named(ref).exclude(status=AppStatus.ARCHIVED).values_list("pk", flat=True).first()
    return found


def name_apps(app_ids: Collection[UUID]) -> dict[UUID, AppName]:
    """The names of those of these apps that there are; one query."""
    rows = App.objects.filter(pk__in=app_ids).values_list("pk", "slug", "name")
    return {pk: AppName(slug, name) for pk, slug, name in rows}


def list_apps() -> AppQuerySet:
    """All apps, newest first, without their drafts; one query for a page of them."""
    rows: AppQuerySet = App.objects.for_display()
    return rows


def find_draft(ref: str) -> App:
    """The app with its draft. Raises AppNotFound."""
    app: App | None = App.objects.only("slug", "name", "status", "draft", "draft_revision").named(ref).first()
    if app is None:
        raise AppNotFound
    return app


def list_versions(app: App) -> Any:
    """The app's versions, newest first, without their definitions."""
    return AppVersion.objects.filter(app=app).defer("definition")


def find_version(app: App, number: int) -> AppVersion:
    """One version with its definition. Raises VersionNotFound."""
    version: AppVersion | None = AppVersion.objects.filter(app=app, number=number).first()
    if version is None:
        raise VersionNotFound(f"This app has no version {number}.")
    return version


def compare_versions(app: App, before: int, after: int) -> Difference:
    """What leads from one version's definition to the other's. Raises VersionNotFound."""
    return compare_definitions(find_version(app, before).definition, find_version(app, after).definition)


def list_releases(app: App) -> Any:
    """The app's releases, newest first, with the numbers of their versions; one query for a page of them."""
    return Release.objects.filter(app=app).select_related("version").defer("version__definition")


def find_access_policy(app: App) -> AccessPolicy:
    """The app's policy."""
    policy: AccessPolicy = AccessPolicy.objects.get(app=app)
    return policy
