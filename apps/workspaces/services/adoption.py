"""Making a workspace of a schema that was filled elsewhere: what an import ends with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.localities import locale_errors, time_zone_errors
from apps.common.names import name_errors
from apps.common.permissions import BUILT_IN_ROLES, registry
from apps.common.slugs import check_slug
from apps.common.tenancy import enter, enter_public
from apps.events.services import emit_event
from apps.workspaces.errors import SlugTaken
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services.config import check_config
from apps.workspaces.services.creation import insert_workspace, require_room
from apps.workspaces.services.default_app import find_app
from apps.workspaces.services.lifecycle import record_life
from apps.workspaces.services.slugs import derived_slugs, require_not_held
from apps.workspaces.signals import workspace_imported
from apps.workspaces.states import WorkspaceStatus


@dataclass(frozen=True, slots=True)
class Identity:
    """What a workspace is called before it is one."""

    id: UUID
    schema_name: str


@dataclass(frozen=True, slots=True)
class Portrait:
    """A workspace's settings and roles as an archive told them, checked as if a person had sent them."""

    name: str
    fields: Mapping[str, Any]
    default_app: str | None
    roles: Sequence[Mapping[str, Any]]
    #: Permission codes of roles that this release doesn't know, which are dropped.
    unknown_permissions: tuple[str, ...]


def require_importable(*, owner: Any, slug: str | None, now: datetime) -> None:
    """Raise TooManyWorkspaces, InvalidInput or SlugTaken for what ``adopt_workspace`` would refuse already now."""
    with enter_public():
        require_room(owner)
        if slug is not None:
            check_slug(slug)
            require_not_held(slug, owner_id=owner.pk, now=now)
            if Workspace.objects.filter(slug=slug).exists():
                raise SlugTaken


def read_portrait(told: Any, *, name: str | None = None) -> Portrait:
    """What ``portrait_of`` wrote, possibly changed by hand on the way. Raises InvalidInput."""
    told = told if isinstance(told, dict) else {}
    about = told.get("workspace")
    about = about if isinstance(about, dict) else {}
    texts = {field: str(about.get(field) or "") for field in ("display_name", "time_zone", "locale")}
    chosen = name or str(about.get("name") or "")
    errors = [
        *name_errors(chosen),
        *name_errors(texts["display_name"], pointer="/display_name"),
        *locale_errors(texts["locale"]),
        *time_zone_errors(texts["time_zone"]),
    ]
    if not chosen.strip() or len(chosen) > 100 or len(texts["display_name"]) > 150:
        errors.append(FieldError("/name", "blank", "Give the workspace a name of 1 to 100 characters."))
    if errors:
        raise InvalidInput(errors[0].detail, errors=errors)
    roles, unknown = _roles(told.get("roles"))
    return Portrait(
        name=chosen,
        fields={**texts, "config": check_config(about.get("config") or {})},
        default_app=str(about["default_app"]) if about.get("default_app") else None,
        roles=roles,
        unknown_permissions=unknown,
    )


def adopt_workspace(
    *,
    identity: Identity,
    fingerprint: str,
    portrait: Portrait,
    owner: Any,
    slug: str | None,
    source: Mapping[str, Any],
    actor: Actor,
    now: datetime,
) -> Workspace:
    """An active workspace of the schema that stands filled under ``identity``, which ``owner`` owns.

    In the caller's transaction. Apps above hear ``workspace_imported`` inside the schema; the trail of the copy says
    that what comes before was told by the archive. Raises SlugTaken, TooManyWorkspaces.
    """
    require_room(owner)
    slugs = iter([check_slug(slug)]) if slug is not None else derived_slugs(portrait.name)
    workspace = _with_free_slug(slugs, identity, fingerprint, portrait, owner, now)
    default_app = find_app(workspace, portrait.default_app) if portrait.default_app else None
    if default_app is not None:
        workspace.default_app_id = default_app
        workspace.save(update_fields=["default_app_id", "updated_at"])
    Role.objects.bulk_create(Role(workspace=workspace, **role) for role in portrait.roles)
    with enter(workspace):
        workspace_imported.send(sender=Workspace, workspace=workspace, actor=actor, now=now)
    changes = {name: [None, value] for name, value in {"slug": workspace.slug, **source}.items()}
    target = Target(kind="workspace", id=str(workspace.pk), name=workspace.name)
    record_act_in(workspace, actor=actor, action="workspace.import", target=target, now=now, changes=changes)
    record_life(workspace, "import", actor=actor, now=now, changes=changes)
    emit_event(
        type="workspace.imported",
        workspace_id=workspace.pk,
        data={"slug": workspace.slug, "name": workspace.name, "owner": str(owner.pk), "source": dict(source)},
        now=now,
    )
    return workspace


def _with_free_slug(
    slugs: Iterator[str], identity: Identity, fingerprint: str, portrait: Portrait, owner: Any, now: datetime
) -> Workspace:
    for slug in slugs:
        try:
            with transaction.atomic():
                return insert_workspace(
                    identifier=identity.id,
                    schema_name=identity.schema_name,
                    slug=slug,
                    name=portrait.name,
                    owner=owner,
                    fields=dict(portrait.fields),
                    fingerprint=fingerprint,
                    status=WorkspaceStatus.ACTIVE,
                    now=now,
                )
        except SlugTaken:
            continue
    raise SlugTaken


def _roles(told: Any) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The roles, as rows; codes of permissions that aren't known here are left away and named."""
    known = {declared.code for declared in registry.all()}
    rows: list[dict[str, Any]] = []
    unknown: set[str] = set()
    for role in told if isinstance(told, list) else ():
        code, name, codes = (
            (role.get(key) for key in ("code", "name", "permissions")) if isinstance(role, dict) else _NO
        )
        if not (isinstance(code, str) and isinstance(name, str) and isinstance(codes, list)):
            raise InvalidInput("A role of the archive is none.")
        if len(code) > 40 or not 0 < len(name) <= 100 or name_errors(name) or any(row["code"] == code for row in rows):
            raise InvalidInput(f"The archive's role {code[:40]!r} can't be one.")
        asked = {str(item) for item in codes}
        unknown |= asked - known
        rows.append({"code": check_slug(code, reserved=BUILT_IN_ROLES), "name": name, "codes": sorted(asked & known)})
    return rows, tuple(sorted(unknown))[:100]


_NO = (None, None, None)
