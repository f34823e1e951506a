"""Saving drafts: one writer wins, the others are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.applications.errors import AppNotFound, DraftChanged, NotLive
from apps.applications.models import App
from apps.applications.services.checking import require_valid
from apps.applications.services.records import record
from apps.applications.states import AppStatus
from apps.common.actors import Actor
from apps.common.canonical_json import digest
from apps.common.permissions import GrantedWorkspace


def save_draft(
    *, app_id: UUID, workspace: GrantedWorkspace, actor: Actor, definition: Any, revision: int, now: datetime
) -> App:
    """The app with ``definition`` as its draft, one revision further.

    ``revision`` is the one that the caller read: the UPDATE itself demands it, so of two who edit the same one, one
    gets DraftChanged. Raises DefinitionRefused for a definition that can't be shown and run, Conflict for an archived
    app, AppNotFound.
    """
    draft = require_valid(definition)
    with transaction.atomic():
        saved = (
            App.objects.filter(pk=app_id, draft_revision=revision)
            .exclude(status=AppStatus.ARCHIVED)
            .update(draft=draft, draft_revision=F("draft_revision") + 1, updated_at=now)
        )
        app = App.objects.filter(pk=app_id).first()
        if app is None:
            raise AppNotFound
        if not saved:
            if app.status == AppStatus.ARCHIVED and app.draft_revision == revision:
                raise NotLive("This app is archived. Unarchive it to change its draft.", code="app_archived")
            raise DraftChanged(f"The draft is at revision {app.draft_revision} now, not {revision}. Read it again.")
        record(
            workspace=workspace,
            app=app,
            actor=actor,
            action="app.draft.save",
            now=now,
            changes={"revision": [revision, app.draft_revision], "digest": [None, digest(draft)]},
        )
    found: App = app
    return found
