"""Why something was refused: kept for a while, so that the answer's ``decision_id`` can be explained."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from apps.access.models import Decision
from apps.access.selectors.grants import grant_for
from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor, ActorKind
from apps.common.permissions import Grant
from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public

_DENIED, _TOO_MANY = 403, 429
_KINDS = {402: "quota", _TOO_MANY: "rate"}


class Resolver:
    """Answers what ``apps.common.permissions`` asks: who may do what, and where a refusal is kept."""

    def grant_for(self, actor: Actor, workspace_ref: str) -> Grant | None:
        return grant_for(actor, workspace_ref)

    def record_refusal(
        self, *, actor: Actor, code: str, action: str, target: str, grant: Grant | None, reason: str, status: int
    ) -> str:
        def record() -> str:
            kept = record_refusal(
                actor=actor,
                code=code,
                action=action,
                target=target,
                grant=grant,
                reason=reason,
                status=status,
                now=timezone.now(),
            )
            return str(kept.pk)

        return _once_a_minute(actor, record) if status == _TOO_MANY else record()


def record_refusal(
    *,
    actor: Actor,
    code: str,
    action: str,
    target: str,
    grant: Grant | None,
    reason: str,
    status: int,
    now: datetime,
) -> Decision:
    """Keep why ``actor`` was refused, and audit it when a member was denied something in a workspace.

    To be called after the refused change was rolled back, outside its transaction: it must outlive it.
    """
    with enter_public():
        decision = Decision.objects.create(
            at=now,
            workspace_id=grant.workspace.id if grant else None,
            caller=_caller(actor),
            action=action[:200],
            target=target[:300],
            code=code,
            status=status,
            decided_by=_decided_by(actor, grant, code=code, reason=reason, status=status),
            request_id=actor.request_id,
        )
    if grant is not None and status == _DENIED:
        record_act_in(
            grant.workspace,
            actor=actor,
            action="access.refused",
            target=Target(kind="decision", id=str(decision.pk), name=action),
            changes={"permission": code, "path": target, "reason": reason},
            now=now,
        )
    return decision


def delete_old_decisions(*, now: datetime) -> int:
    """Forget the decisions that are older than ``DECISION_RETENTION``; returns how many."""
    old = Decision.objects.made_before(now - settings.DECISION_RETENTION).order_by("at")
    return forget_in_batches("access.decisions", lambda limit: delete_some(old, limit)).count


def forget_decisions_of(workspace_id: UUID) -> int:
    """Delete the refusals in a workspace that is purged, before their time; returns how many."""
    return int(Decision.objects.filter(workspace_id=workspace_id).delete()[0])


def _once_a_minute(actor: Actor, record: Callable[[], str]) -> str:
    """A flood of refused calls has one decision a minute: it must not become a flood of writes."""
    key = f"decision.rate:{actor.kind}:{actor.id or actor.address}"
    try:
        return str(caches["global"].get_or_set(key, record, timeout=60))
    except Exception:  # noqa: BLE001 - whatever the cache's client raises
        return record()


def _caller(actor: Actor) -> dict[str, Any]:
    caller: dict[str, Any] = {"kind": actor.kind, "id": str(actor.id) if actor.id else None, "name": actor.name}
    if actor.user_id is not None and actor.kind != ActorKind.USER:
        caller["user"] = str(actor.user_id)
    return caller


def _decided_by(actor: Actor, grant: Grant | None, *, code: str, reason: str, status: int) -> dict[str, Any]:
    decided: dict[str, Any] = {"kind": _KINDS.get(status, "policy"), "reason": reason}
    if grant is not None:
        decided["role"] = grant.role
        if status == _DENIED:
            decided["kind"] = grant.source
        if actor.scopes is not None:
            decided["scopes"] = sorted(actor.scopes)
            if status == _DENIED and code in actor.scopes:
                # The key's scopes would have allowed it: it was its member's role that did not.
                decided["kind"] = "role"
    return decided
