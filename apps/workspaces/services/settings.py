"""Changing a workspace's settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.constraints import violated_constraint
from apps.common.errors import FieldError, InvalidInput
from apps.common.localities import locale_errors, time_zone_errors
from apps.common.names import name_errors
from apps.common.revisions import Expected, require_revision, update_revision
from apps.common.slugs import check_slug
from apps.common.tenancy import enter_public
from apps.events.services import emit_event
from apps.workspaces.errors import SlugTaken
from apps.workspaces.models import SlugHold, Workspace
from apps.workspaces.services.config import check_config
from apps.workspaces.services.default_app import find_app
from apps.workspaces.services.rules import changes_of, lock_workspace
from apps.workspaces.services.slugs import hold_slug, require_not_held

_SHOWN = ("slug", "name", "display_name", "default_app_id", "time_zone", "locale", "config")


def update_workspace(
    *,
    workspace_id: UUID,
    changes: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    expected: Expected = None,
) -> Workspace:
    """Change what ``changes`` names: name, display_name, time_zone, locale, config, slug, default_app (an id or slug).

    A slug that is given up is kept from others for 90 days. Raises InvalidInput, StaleRevision, SlugTaken.
    """
    with enter_public(), transaction.atomic():
        workspace = lock_workspace(workspace_id)
        require_revision(workspace, expected)
        before = _shown(workspace)
        values = _checked(workspace, changes)
        if all(getattr(workspace, name) == value for name, value in values.items()):
            return workspace
        old_slug = workspace.slug
        _write(workspace, values, now=now)
        if workspace.slug != old_slug:
            _settle_slugs(workspace, old_slug, now=now)
        differences = changes_of(before, _shown(workspace))
        record_act_in(
            workspace,
            actor=actor,
            action="workspace.update",
            target=Target(kind="workspace", id=str(workspace.pk), name=workspace.name),
            now=now,
            changes=differences,
        )
        emit_event(
            type="workspace.updated",
            workspace_id=workspace.pk,
            data={"changes": {name: after for name, (_, after) in differences.items()}},
            now=now,
        )
    return workspace


def _checked(workspace: Workspace, changes: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: changes[name] for name in ("name", "display_name", "time_zone", "locale") if name in changes}
    errors: list[FieldError] = []
    if "name" in values and not values["name"].strip():
        errors.append(FieldError("/name", "blank", "Give the workspace a name."))
    for field in ("name", "display_name"):
        errors += name_errors(values.get(field, ""), pointer=f"/{field}")
    if "locale" in values:
        errors += locale_errors(values["locale"])
    if "time_zone" in values:
        errors += time_zone_errors(values["time_zone"])
    if "default_app" in changes:
        app_id = find_app(workspace, changes["default_app"])
        if app_id is None:
            errors.append(FieldError("/default_app", "unknown_app", "There is no such app in this workspace."))
        values["default_app_id"] = app_id
    if errors:
        raise InvalidInput(errors=errors)
    if "config" in changes:
        values["config"] = check_config(changes["config"])
    if "slug" in changes:
        values["slug"] = check_slug(changes["slug"])
    return values


def _write(workspace: Workspace, values: dict[str, Any], *, now: datetime) -> None:
    try:
        with transaction.atomic():
            update_revision(workspace, None, now=now, **values)
    except IntegrityError as error:
        if violated_constraint(error) == "slug_belongs_to_one_workspace":
            raise SlugTaken from error
        raise


def _settle_slugs(workspace: Workspace, old_slug: str, *, now: datetime) -> None:
    require_not_held(workspace.slug, owner_id=workspace.owner_id, now=now)
    SlugHold.objects.filter(slug=workspace.slug).delete()
    hold_slug(old_slug, owner_id=workspace.owner_id, now=now)


def _shown(workspace: Workspace) -> dict[str, Any]:
    shown = {name: getattr(workspace, name) for name in _SHOWN}
    app_id = shown.pop("default_app_id")
    return {**shown, "default_app": str(app_id) if app_id else None}
