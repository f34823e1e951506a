"""The keys and decisions that a caller may see."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.access.models import ApiKey, Decision
from apps.common.actors import Actor
from apps.common.errors import NotFound
from apps.common.permissions import Grant


def visible_keys(*, workspace_id: UUID, grant: Grant) -> QuerySet[ApiKey]:
    """One's own keys; everybody's for those who manage service accounts. With whom they act for."""
    keys = ApiKey.objects.of_workspace(workspace_id)
    if not grant.allows("service_accounts.manage"):
        keys = keys.of_member(grant.membership_id)
    return keys.select_related("membership__user")


def find_key(*, workspace_id: UUID, key_id: UUID, grant: Grant) -> ApiKey:
    """Raises NotFound, also for somebody else's."""
    found = visible_keys(workspace_id=workspace_id, grant=grant).filter(pk=key_id).first()
    if found is None:
        raise NotFound
    return found


def find_decision(*, workspace_id: UUID, decision_id: UUID, actor: Actor, grant: Grant) -> Decision:
    """Why something was refused in this workspace: for the refused caller, and for those who may see members or audit.

    Raises NotFound.
    """
    found = Decision.objects.filter(workspace_id=workspace_id, pk=decision_id).first()
    if found is None:
        raise NotFound
    concerns_caller = actor.id is not None and found.caller.get("id") == str(actor.id)
    if not (concerns_caller or grant.allows("members.view") or grant.allows("audit.view")):
        raise NotFound
    return found
