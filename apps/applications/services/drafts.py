"""Saving drafts: one writer wins, the others are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.applications.errors import AppNotFound, NotLive
from apps.applications.models import App
from apps.applications.services.checking import require_valid
from apps.applications.services.records import record
from apps.applications.states import AppStatus
from apps.common.actors import Actor
from apps.common.canonical_json import digest
from apps.common.permissions import GrantedWorkspace
from apps.common.revisions import Expected, update_revision


def save_draft(
    *, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, definition: Any, expected: Expected, now: datetime
) -> App:
    """The app with ``definition`` as its draft, one revision further.

    The UPDATE itself demands an ``expected`` revision (of ``draft_revision``), so of two who edit the same one, one
    gets StaleRevision. Raises DefinitionRefused for a definition that can't be shown and run, NotLive for an archived
    app, AppNotFound.
    """
    draft = require_valid(definition)
    with transaction.atomic():
        app: App | None = App.objects.filter(pk=app_id).first()
        if app is None:
            raise AppNotFound
        if app.status == AppStatus.ARCHIVED:
            raise NotLive("This app is archived. Unarchive it to change its draft.", code="app_archived")
        before = app.draft_revision
        update_revision(app, expected, now=now, column="draft_revision", draft=draft)
        record(
            workspace=workspace,
            app=app,
            actor=actor,
            action="app.draft.save",
            now=now,
            changes={"revision": [before, app.draft_revision], "digest": [None, digest(draft)]},
        )
    return app
