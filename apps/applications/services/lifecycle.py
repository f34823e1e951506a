"""Taking an app from visitors and giving it back: unpublish, deprecate, archive, and the ways back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.applications.models import App
from apps.applications.services.records import record
from apps.applications.services.rows import lock_app
from apps.applications.states import LIVE, AppStatus
from apps.common.actors import Actor
from apps.common.errors import IllegalTransition, InvalidInput
from apps.common.permissions import GrantedWorkspace


def unpublish(*, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, now: datetime) -> App:
    """Visitors get 404 from now on; versions and releases stay.

    Raises IllegalTransition for an app that they can't reach anyway, AppNotFound.
    """
    return _move(
        app_id,
        AppStatus.UNPUBLISHED,
        act="unpublish",
        event="app.unpublished",
        workspace=workspace,
        actor=actor,
        now=now,
        only_from=LIVE,
        deprecated_at=None,
        sunset_at=None,
    )


def deprecate(
    *, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, now: datetime, sunset_at: datetime | None = None
) -> App:
    """The app still runs, with a notice to visitors and, to programs, the headers Deprecation and Sunset.

    ``sunset_at`` announces when it is to go (RFC 8594); nothing happens by itself then. Raises InvalidInput for one
    that has passed, IllegalTransition, AppNotFound.
    """
    if sunset_at is not None and sunset_at <= now:
        raise InvalidInput.at("/sunset_at", "in_the_past", "An app can only be announced to go at a time to come.")
    return _move(
        app_id,
        AppStatus.DEPRECATED,
        act="deprecate",
        event="app.deprecated",
        workspace=workspace,
        actor=actor,
        now=now,
        deprecated_at=now,
        sunset_at=sunset_at,
    )


def undeprecate(*, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, now: datetime) -> App:
    """The app is here to stay again. Raises IllegalTransition for one that isn't deprecated, AppNotFound."""
    return _move(
        app_id,
        AppStatus.PUBLISHED,
        act="undeprecate",
        event="app.undeprecated",
        workspace=workspace,
        actor=actor,
        now=now,
        only_from=frozenset({AppStatus.DEPRECATED}),
        deprecated_at=None,
        sunset_at=None,
    )


def archive(*, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, now: datetime) -> App:
    """Visitors get 410 from now on; everything is kept and can be restored. Raises IllegalTransition, AppNotFound."""
    return _move(
        app_id,
        AppStatus.ARCHIVED,
        act="archive",
        event="app.archived",
        workspace=workspace,
        actor=actor,
        now=now,
        deprecated_at=None,
        sunset_at=None,
    )


def unarchive(*, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, now: datetime) -> App:
    """Back as a draft, or, when it was ever published, as unpublished: visitors wait for the next publish.

    Raises IllegalTransition for an app that isn't archived, AppNotFound.
    """
    with transaction.atomic():
        app = lock_app(app_id)
        target = AppStatus.DRAFT if app.current_release_id is None else AppStatus.UNPUBLISHED
        return _move_locked(
            app,
            target,
            act="unarchive",
            event="app.unarchived",
            workspace=workspace,
            actor=actor,
            now=now,
            only_from=frozenset({AppStatus.ARCHIVED}),
        )


def _move(app_id: UUID, target: AppStatus, **rest: object) -> App:
    with transaction.atomic():
        return _move_locked(lock_app(app_id), target, **rest)  # type: ignore[arg-type]


def _move_locked(
    app: App,
    target: AppStatus,
    *,
    act: str,
    event: str,
    workspace: GrantedWorkspace,
    actor: Actor,
    now: datetime,
    only_from: frozenset[AppStatus] | None = None,
    **changes: object,
) -> App:
    if only_from is not None and app.status not in only_from:
        wanted = " or ".join(sorted(only_from))
        raise IllegalTransition(f"This app is {app.status}, not {wanted}; there is nothing to {act}.")
    before = app.status
    app.move_to(target, **changes)
    sunset = app.sunset_at.isoformat() if app.sunset_at else None
    record(
        workspace=workspace,
        app=app,
        actor=actor,
        action=f"app.{act}",
        now=now,
        changes={"status": [before, str(target)], **({"sunset_at": [None, sunset]} if sunset else {})},
        event=event,
        data={"status": str(target), **({"sunset_at": sunset} if sunset else {})},
    )
    return app
