"""Publishing and rolling back: one row lock, one pointer change.

Visitors see the version before or the version after, never a mixture; of several who publish at once each gets a
release of its own, in one order.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.applications.errors import (
    DatabaseRevisionMissing,
    MayNotExpose,
    NothingToRollBackTo,
    NotLive,
    VersionNotFound,
)
from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.applications.services.access_policies import is_anonymous
from apps.applications.services.records import describe_actor, record
from apps.applications.services.rows import lock_app, version_of
from apps.applications.services.versions import add_version
from apps.applications.states import APP_TRANSITIONS, LIVE, AppStatus
from apps.common.actors import Actor
from apps.common.permissions import GrantedWorkspace
from apps.databases.selectors.migrations import database_revision


def publish(
    *,
    app_id: UUID,
    workspace: GrantedWorkspace,
    actor: Actor,
    now: datetime,
    may_expose: bool,
    version: int | None = None,
    note: str = "",
) -> Release:
    """The release with which a version went live: the one with number ``version``, or the draft as the next one.

    A deprecated app stays deprecated: only its version changes. Raises MayNotExpose when the app wasn't live, its
    policy lets anonymous visitors in, and the caller may not decide that; DefinitionRefused, VersionNotFound,
    IllegalTransition (archived), DatabaseRevisionMissing, AppNotFound.
    """
    with transaction.atomic():
        app = lock_app(app_id)
        if app.status not in LIVE:
            APP_TRANSITIONS.require(app.status, AppStatus.PUBLISHED, what="app")
            if not may_expose and is_anonymous(AccessPolicy.objects.get(app=app).audience):
                raise MayNotExpose
        published = (
            version_of(app, version)
            if version is not None
            else add_version(app=app, workspace=workspace, actor=actor, now=now, note=note)
        )
        require_database_revision(published, workspace_id=workspace.id)
        return _release(app, published, Release.Kind.PUBLISH, workspace=workspace, actor=actor, now=now, note=note)


def roll_back(
    *,
    app_id: UUID,
    workspace: GrantedWorkspace,
    actor: Actor,
    now: datetime,
    version: int | None = None,
    release: int | UUID | None = None,
    note: str = "",
) -> Release:
    """The release with which an older version went live again: ``version``, that of ``release`` (its sequence or id),
    or, without either, the one that was live before the present one.

    Raises NotLive when visitors can't reach the app (publish it instead), NothingToRollBackTo for a version that is
    live already or never was, DatabaseRevisionMissing, VersionNotFound, AppNotFound.
    """
    with transaction.atomic():
        app = lock_app(app_id)
        if app.status not in LIVE or app.current_release is None:
            raise NotLive(f"This app is {app.status}: there is nothing to roll back. Publish a version instead.")
        target = _target(app, app.current_release, version=version, release=release)
        require_database_revision(target, workspace_id=workspace.id)
        return _release(app, target, Release.Kind.ROLLBACK, workspace=workspace, actor=actor, now=now, note=note)


def require_database_revision(version: AppVersion, *, workspace_id: UUID) -> None:
    """Raise DatabaseRevisionMissing when the workspace's database hasn't had the migrations that it had when the
    version was made: an older backup was restored, or the database was deleted."""
    needed = version.database_revision
    if needed is None:
        return
    present = database_revision(workspace_id)
    if present is None:
        raise DatabaseRevisionMissing(
            f"Version {version.number} needs the workspace's database at revision {needed}, and it has none that is "
            "ready. Make one and apply the migrations first, or publish the draft.",
            needed=needed,
            present=None,
        )
    if present < needed:
        raise DatabaseRevisionMissing(
            f"Version {version.number} needs the database at revision {needed}; it is at {present}. Apply the "
            "migrations in between first, or publish the draft.",
            needed=needed,
            present=present,
        )


def _target(app: App, current: Release, *, version: int | None, release: int | UUID | None) -> AppVersion:
    if version is not None:
        target = version_of(app, version)
    elif release is not None:
        target = _released(app, release).version
    else:
        target = _before(app, current)
    if target.pk == current.version_id:
        raise NothingToRollBackTo(f"Version {target.number} is the one that is live.", code="already_live")
    if version is not None and not Release.objects.filter(app=app, version=target).exists():
        raise NothingToRollBackTo(f"Version {target.number} was never live. Publish it instead.")
    found: AppVersion = target
    return found


def _released(app: App, release: int | UUID) -> Release:
    releases = Release.objects.filter(app=app).select_related("version")
    found: Release | None = (
        releases.filter(pk=release) if isinstance(release, UUID) else releases.filter(sequence=release)
    ).first()
    if found is None:
        raise VersionNotFound("This app has no such release.", code="release_not_found")
    return found


def _before(app: App, current: Release) -> AppVersion:
    earlier: Release | None = (
        Release.objects.filter(app=app).exclude(version_id=current.version_id).select_related("version").first()
    )
    if earlier is None:
        raise NothingToRollBackTo(f"No version but {current.version.number} was ever live.")
    return earlier.version


def _release(
    app: App,
    version: AppVersion,
    kind: str,
    *,
    workspace: GrantedWorkspace,
    actor: Actor,
    now: datetime,
    note: str,
) -> Release:
    """The pointer change, on a locked app."""
    last: int | None = Release.objects.filter(app=app).aggregate(last=Max("sequence"))["last"]
    before = app.current_release.version.number if app.current_release is not None else None
    release: Release = Release.objects.create(
        app=app,
        sequence=(last or 0) + 1,
        kind=kind,
        version=version,
        actor=describe_actor(actor),
        note=note,
        at=now,
    )
    if app.status in LIVE:
        App.objects.filter(pk=app.pk).update(current_release=release, updated_at=now)
        app.current_release = release
    else:
        app.move_to(AppStatus.PUBLISHED, current_release=release)
    rolled_back = kind == Release.Kind.ROLLBACK
    record(
        workspace=workspace,
        app=app,
        actor=actor,
        action="app.rollback" if rolled_back else "app.publish",
        now=now,
        changes={"version": [before, version.number], "release": [None, release.sequence]},
        event="app.rolled_back" if rolled_back else "app.published",
        data={"version": version.number, "sequence": release.sequence, "previous_version": before},
    )
    return release
