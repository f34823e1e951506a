"""Making workspaces: a few row writes, because the schema stands ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, ProgrammingError, transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.constraints import violated_constraint
from apps.common.errors import InvalidInput
from apps.common.ids import new_id
from apps.common.localities import locale_errors, time_zone_errors
from apps.common.names import name_errors
from apps.common.queue import enqueue
from apps.common.slugs import check_slug
from apps.common.tenancy import enter, enter_public, schema_for
from apps.events.services import emit_event
from apps.operations.services.requests import request_operation
from apps.workspaces.errors import SlugTaken, TooManyWorkspaces
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.models.membership import built_in_role_id
from apps.workspaces.services.config import check_config
from apps.workspaces.services.slots import claim_slot, condemn_slot, is_pool_low
from apps.workspaces.services.slugs import derived_slugs, random_suffix, require_not_held
from apps.workspaces.signals import workspace_created
from apps.workspaces.states import WorkspaceStatus


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is known of a workspace before it has a slug and a schema."""

    owner: Any
    name: str
    fields: dict[str, Any]
    actor: Actor
    now: datetime


def create_workspace(
    *,
    owner: Any,
    name: str,
    actor: Actor,
    now: datetime,
    slug: str | None = None,
    display_name: str = "",
    time_zone: str | None = None,
    locale: str | None = None,
    config: dict[str, Any] | None = None,
) -> Workspace:
    """A workspace that ``owner`` owns, active at once; ``provisioning``, with an operation that finishes it, while no
    schema stands ready.

    Without ``slug`` one is derived from ``name``, with a suffix when it is taken. Raises InvalidInput for a slug, name,
    place or config that can't be, SlugTaken for one that somebody has, TooManyWorkspaces.
    """
    slugs = iter([check_slug(slug)]) if slug is not None else derived_slugs(name)
    require_room(owner)
    errors = [
        *name_errors(name),
        *name_errors(display_name, pointer="/display_name"),
        *(locale_errors(locale) if locale else ()),
        *(time_zone_errors(time_zone) if time_zone else ()),
    ]
    if errors:
        raise InvalidInput(errors=errors)
    draft = _Draft(
        owner=owner,
        name=name,
        fields={
            "display_name": display_name,
            "time_zone": time_zone or owner.time_zone,
            "locale": locale or owner.locale,
            "config": check_config(config or {}),
        },
        actor=actor,
        now=now,
    )
    with enter_public():
        return _with_free_slug(slugs, lambda chosen: _place(draft, chosen))


def create_default_workspace(*, owner: Any, actor: Actor, now: datetime) -> Workspace:
    """The workspace that everybody gets, however they were made."""
    name = f"{owner.name}’s workspace"[:100] if owner.name else "My workspace"
    slug_source = owner.name or f"team {random_suffix(6)}"
    with enter_public():
        draft = _Draft(
            owner=owner,
            name=name,
            fields={"time_zone": owner.time_zone, "locale": owner.locale},
            actor=actor,
            now=now,
        )
        return _with_free_slug(derived_slugs(slug_source), lambda chosen: _place(draft, chosen))


def open_workspace(*, workspace: Workspace, actor: Actor, now: datetime) -> None:
    """Tell those who listen that the workspace has its schema, inside of it, and write its birth down."""
    with enter(workspace):
        workspace_created.send(sender=Workspace, workspace=workspace, actor=actor, now=now)
    with enter_public():
        record_act(
            actor=actor,
            action="workspace.create",
            target=Target(kind="workspace", id=str(workspace.pk), name=workspace.name),
            now=now,
            changes={"slug": [None, workspace.slug], "plan": [None, workspace.plan_code]},
        )
        emit_event(
            type="workspace.created",
            workspace_id=workspace.pk,
            data={"slug": workspace.slug, "name": workspace.name, "owner": str(workspace.owner_id)},
            now=now,
        )


def _with_free_slug(slugs: Iterator[str], place: Callable[[str], Workspace]) -> Workspace:
    for slug in slugs:
        try:
            return place(slug)
        except SlugTaken:
            continue
    raise SlugTaken


def _place(draft: _Draft, slug: str) -> Workspace:
    """The workspace in a schema of the pool, else without one; each try is one transaction. Raises SlugTaken."""
    condemned: set[UUID] = set()
    while True:
        slot = None
        try:
            with transaction.atomic():
                slot = claim_slot(excluding=condemned)
                if slot is None:
                    break
                workspace = _insert(
                    draft, slug, schema=slot.schema_name, fingerprint=slot.fingerprint, status=WorkspaceStatus.ACTIVE
                )
                open_workspace(workspace=workspace, actor=draft.actor, now=draft.now)
        except ProgrammingError as error:
            # A table that isn't there, or a schema: whatever happened to this slot, the next one may be sound.
            if slot is None:
                raise
            condemned.add(slot.pk)
            condemn_slot(slot_id=slot.pk, reason=str(error))
            continue
        if is_pool_low(slot):
            enqueue("workspaces.keep_pool")
        return workspace
    return _place_later(draft, slug)


def _place_later(draft: _Draft, slug: str) -> Workspace:
    with transaction.atomic():
        workspace = _insert(draft, slug, schema=None, fingerprint="", status=WorkspaceStatus.PROVISIONING)
        request_operation(
            kind="workspaces.finish",
            target_id=workspace.pk,
            workspace_id=workspace.pk,
            actor=draft.actor,
            now=draft.now,
            priority=10,
        )
    return workspace


def _insert(draft: _Draft, slug: str, *, schema: str | None, fingerprint: str, status: WorkspaceStatus) -> Workspace:
    identifier = new_id()
    return insert_workspace(
        identifier=identifier,
        schema_name=schema or schema_for(identifier),
        slug=slug,
        name=draft.name,
        owner=draft.owner,
        fields=draft.fields,
        fingerprint=fingerprint,
        status=status,
        now=draft.now,
    )


def insert_workspace(
    *,
    identifier: UUID,
    schema_name: str,
    slug: str,
    name: str,
    owner: Any,
    fields: Mapping[str, Any],
    fingerprint: str,
    status: WorkspaceStatus,
    now: datetime,
) -> Workspace:
    """The rows of a workspace and its owner's membership, in a savepoint of the caller. Raises SlugTaken."""
    workspace = Workspace(
        id=identifier,
        slug=slug,
        name=name,
        schema_name=schema_name,
        fingerprint=fingerprint,
        owner=owner,
        status=status,
        **fields,
    )
    try:
        workspace.save(force_insert=True)
    except IntegrityError as error:
        if violated_constraint(error) == "slug_belongs_to_one_workspace":
            raise SlugTaken from error
        raise
    require_not_held(slug, owner_id=owner.pk, now=now)
    Membership.objects.create(workspace=workspace, user=owner, role_id=built_in_role_id("owner"), joined_at=now)
    return workspace


def require_room(owner: Any) -> None:
    """Raise TooManyWorkspaces when ``owner`` has as many as one person may.

    A guard against floods, not an invariant: two requests at once may pass the last place together.
    """
    present = Workspace.objects.filter(owner=owner).exclude(status=WorkspaceStatus.PURGED).count()
    if present >= settings.WORKSPACES_PER_OWNER:
        raise TooManyWorkspaces(f"One person can own {settings.WORKSPACES_PER_OWNER} workspaces. Close one first.")
