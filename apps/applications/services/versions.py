"""Making versions: what is published is always one of these, and none of them ever changes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.applications.errors import NotLive
from apps.applications.models import App, AppVersion
from apps.applications.services.checking import with_pins
from apps.applications.services.records import describe_actor, record
from apps.applications.services.rows import lock_app
from apps.applications.states import AppStatus
from apps.common.actors import Actor
from apps.common.canonical_json import digest
from apps.common.permissions import GrantedWorkspace
from apps.databases.selectors.migrations import database_revision


def make_version(
    *, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, now: datetime, note: str = ""
) -> AppVersion:
    """The draft as the app's next version, with every workflow that it names as it is at this moment.

    Raises DefinitionRefused when the draft doesn't hold any more (a workflow that it names is gone), Conflict for an
    archived app, AppNotFound.
    """
    with transaction.atomic():
        app = lock_app(app_id)
        if app.status == AppStatus.ARCHIVED:
            raise NotLive("This app is archived. Unarchive it first.", code="app_archived")
        return add_version(app=app, workspace=workspace, actor=actor, now=now, note=note)


def add_version(*, app: App, workspace: GrantedWorkspace, actor: Actor, now: datetime, note: str) -> AppVersion:
    """The same for an app that the caller has locked."""
    definition = with_pins(app.draft)
    version: AppVersion = AppVersion.objects.create(
        app=app,
        number=next_number(app),
        definition=definition,
        digest=digest(definition),
        note=note,
        created_by=describe_actor(actor),
        created_at=now,
        # What its author had before them. A database without migrations asks for nothing.
        database_revision=database_revision(workspace.id) or None,
    )
    record(
        workspace=workspace,
        app=app,
        actor=actor,
        action="app.version.create",
        now=now,
        changes={"version": [None, version.number], "digest": [None, version.digest]},
        event="app.version_created",
        data={"version": version.number, "digest": version.digest},
    )
    return version


def next_number(app: App) -> int:
    """The number that the app's next version gets. Exact while the app is locked."""
    last: int | None = AppVersion.objects.filter(app=app).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1
