"""What a caller may do in a workspace at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.common.actors import Actor, ActorKind
from apps.common.ids import parse_id
from apps.common.permissions import Grant
from apps.workspaces.selectors.memberships import active_membership, active_service_account, codes_of_role


@dataclass(frozen=True, slots=True)
class KeyActor(Actor):
    """A program, with the membership that its key acts for as it was read when the key was checked in this request."""

    membership: Any = None


def grant_for(actor: Actor, workspace_ref: str) -> Grant | None:
    """The caller's grant in the workspace with this id or slug: one query, and none for a key just checked.

    None for those who aren't active members of it. A key holds what its member holds and its scopes name, in its own
    workspace alone.
    """
    membership = _membership_of(actor, workspace_ref)
    if membership is None:
        return None
    codes = codes_of_role(membership.role)
    confined = actor.scopes is not None
    return Grant(
        workspace=membership.workspace,
        codes=codes & actor.scopes if actor.scopes is not None else codes,
        role=membership.role.code,
        membership_id=membership.pk,
        source="scope" if confined else "role",
    )


def _membership_of(actor: Actor, workspace_ref: str) -> Any:
    if isinstance(actor, KeyActor) and actor.membership is not None:
        return actor.membership if _names(workspace_ref, actor.membership.workspace) else None
    if actor.kind == ActorKind.SERVICE_ACCOUNT and actor.id is not None:
        return active_service_account(workspace_ref=workspace_ref, membership_id=actor.id)
    if actor.kind == ActorKind.USER and actor.user_id is not None:
        return active_membership(workspace_ref=workspace_ref, user_id=actor.user_id)
    return None


def _names(workspace_ref: str, workspace: Any) -> bool:
    identifier = parse_id(workspace_ref)
    if identifier is not None:
        return bool(workspace.pk == identifier)
    return bool(workspace.slug == workspace_ref)
