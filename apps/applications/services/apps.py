"""Making, changing and deleting apps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.applications.definitions.blank import blank_definition
from apps.applications.errors import AppInUse, AppSlugTaken
from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.applications.services.checking import require_valid
from apps.applications.services.records import record
from apps.applications.services.rows import lock_app
from apps.applications.states import AppStatus
from apps.common.actors import Actor
from apps.common.constraints import violated_constraint
from apps.common.ids import new_id
from apps.common.metering import note_level, take_room
from apps.common.names import check_name
from apps.common.permissions import GrantedWorkspace
from apps.common.revisions import Expected, require_revision, update_revision
from apps.common.slugs import check_slug, make_slug

HOME_SLUG = "home"
_MAX_SLUG = 63


def create_home_app() -> App:
    """The blank app that a workspace is born with, in the entered schema, which is empty.

    Part of the workspace's own birth, which is audited as a whole; so there is no line of its own.
    """
    app = App(slug=HOME_SLUG, name="Home", draft=blank_definition("Welcome"))
    app.save(force_insert=True)
    AccessPolicy(app=app).save(force_insert=True)
    return app


def create_app(
    *,
    workspace: GrantedWorkspace,
    actor: Actor,
    name: str,
    now: datetime,
    slug: str | None = None,
    description: str = "",
    definition: Any = None,
    origin: str = App.Origin.BLANK,
) -> App:
    """A new app in state ``draft`` that only members may visit, with ``definition`` or a blank page as its draft.

    Without ``slug`` one is derived from ``name``. Raises InvalidInput (a slug or name that can't be),
    DefinitionRefused, AppSlugTaken, QuotaExceeded.
    """
    chosen = None if slug is None else check_slug(slug)
    check_name(name)
    draft = blank_definition(name) if definition is None else require_valid(definition)
    with transaction.atomic():
        take_room(workspace_id=workspace.id, dimension="apps", now=now)
        app = _insert_app(chosen, name=name, description=description, origin=origin, draft=draft)
        AccessPolicy(app=app).save(force_insert=True)
        record(
            workspace=workspace,
            app=app,
            actor=actor,
            action="app.create",
            now=now,
            changes={"name": [None, app.name], "slug": [None, app.slug]},
            event="app.created",
            data={"origin": app.origin},
        )
    return app


def change_app(
    *,
    app_id: UUID,
    workspace: GrantedWorkspace,
    actor: Actor,
    changes: Mapping[str, Any],
    expected: Expected,
    now: datetime,
) -> App:
    """The app with another ``name``, ``slug`` or ``description``; what is given as it was changes nothing.

    A new slug moves the app's address at once. Raises StaleRevision when the app isn't at an ``expected`` revision,
    InvalidInput, AppSlugTaken, AppNotFound.
    """
    if "slug" in changes:
        check_slug(changes["slug"])
    if "name" in changes:
        check_name(changes["name"])
    with transaction.atomic():
        app = lock_app(app_id)
        require_revision(app, expected)
        different = {name: value for name, value in changes.items() if getattr(app, name) != value}
        if not different:
            return app
        before = {name: getattr(app, name) for name in different}
        try:
            with transaction.atomic():
                update_revision(app, expected, now=now, **different)
        except IntegrityError as error:
            raise _slug_conflict(error) from error
        record(
            workspace=workspace,
            app=app,
            actor=actor,
            action="app.update",
            now=now,
            changes={name: [before[name], value] for name, value in different.items()},
            event="app.updated",
            data={"changed": sorted(different)},
        )
    return app


def duplicate_app(
    *,
    app_id: UUID,
    workspace: GrantedWorkspace,
    actor: Actor,
    now: datetime,
    name: str | None = None,
    slug: str | None = None,
) -> App:
    """A new app with the draft of this one, in state ``draft`` and for members only; its history begins anew."""
    original = App.objects.only("name", "slug", "description", "origin", "draft").get(pk=app_id)
    chosen = None if slug is None else check_slug(slug)
    if name is not None:
        check_name(name)
    with transaction.atomic():
        take_room(workspace_id=workspace.id, dimension="apps", now=now)
        app = _insert_app(
            chosen,
            derived_from=original.slug if name is None else None,
            name=(name or f"{original.name} (copy)")[:100],
            description=original.description,
            origin=original.origin,
            draft=original.draft,
        )
        AccessPolicy(app=app).save(force_insert=True)
        record(
            workspace=workspace,
            app=app,
            actor=actor,
            action="app.duplicate",
            now=now,
            changes={"name": [None, app.name], "slug": [None, app.slug], "copy_of": [None, original.slug]},
            event="app.created",
            data={"origin": app.origin, "copy_of": str(original.pk)},
        )
    return app


def delete_app(
    *,
    app_id: UUID,
    workspace: GrantedWorkspace,
    default_app_id: UUID | None,
    actor: Actor,
    expected: Expected,
    now: datetime,
) -> None:
    """Delete an app with its versions, releases and policy, for good.

    Raises AppInUse for one that was published and isn't archived (archive it first: that can be undone, this can't),
    and for the workspace's default app; StaleRevision when the app isn't at an ``expected`` revision.
    """
    with transaction.atomic():
        app = lock_app(app_id)
        require_revision(app, expected)
        if app.pk == default_app_id:
            raise AppInUse(
                "This is the workspace's default app. Make another one the default before you delete it.",
                code="default_app",
            )
        if app.current_release_id is not None and app.status != AppStatus.ARCHIVED:
            raise AppInUse(f"This app is {app.status}. Archive it first; an archived app can be deleted.")
        record(
            workspace=workspace,
            app=app,
            actor=actor,
            action="app.delete",
            now=now,
            changes={"slug": [app.slug, None], "status": [app.status, None]},
            event="app.deleted",
        )
        # Before it goes: whoever makes one with its slug waits for this transaction, and must not hold the quota.
        note_level(workspace_id=workspace.id, dimension="apps", now=now, going=1)
        App.objects.filter(pk=app.pk).update(current_release=None)
        Release.objects.filter(app=app).erase_with_app()
        AppVersion.objects.filter(app=app).erase_with_app()
        app.delete()


def count_apps() -> int:
    """How many apps the entered workspace has, archived ones included."""
    count: int = App.objects.count()
    return count


def _insert_app(slug: str | None, *, derived_from: str | None = None, **fields: Any) -> App:
    """A new app under ``slug``, or under a free one derived from its name. Raises AppSlugTaken."""
    candidates = iter([slug]) if slug is not None else _derived_slugs(derived_from or str(fields["name"]))
    for candidate in candidates:
        app = App(slug=candidate, **fields)
        try:
            with transaction.atomic():
                app.save(force_insert=True)
        except IntegrityError as error:
            conflict = _slug_conflict(error)
            if slug is not None:
                raise conflict from error
            continue
        return app
    raise AppSlugTaken


def _derived_slugs(name: str) -> Iterator[str]:
    base = make_slug(name, fallback="app")
    taken = set(App.objects.filter(slug__startswith=base[: _MAX_SLUG - 3]).values_list("slug", flat=True)[:200])
    numbered = (f"{base[: _MAX_SLUG - 3]}-{number}" for number in range(2, 100))
    yield from [candidate for candidate in (base, *numbered) if candidate not in taken][:3]
    yield f"{base[: _MAX_SLUG - 9]}-{new_id().hex[-8:]}"


def _slug_conflict(error: IntegrityError) -> Exception:
    return AppSlugTaken() if violated_constraint(error) == "slug_belongs_to_one_app" else error
