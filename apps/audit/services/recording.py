"""Writing the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from apps.audit.models import AuditEvent
from apps.common.actors import Actor
from apps.common.tenancy import HasSchema, enter, enter_public

#: Keys whose values never reach the trail.
_SECRET_WORDS = ("password", "secret", "token", "key_hash", "dsn", "private_key", "totp")
_MASK = "••••"


class AuditedWorkspace(HasSchema, Protocol):
    """A workspace, and whether its schema is there already (the fingerprint of the migrations that it has)."""

    @property
    def fingerprint(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Target:
    """What was acted on, as it was called then."""

    kind: str
    id: str = ""
    name: str = ""


def record_act(
    *, actor: Actor, action: str, target: Target, now: datetime, changes: Mapping[str, Any] | None = None
) -> AuditEvent:
    """Append one act to the trail of the entered workspace, or to the platform's outside of one.

    Called in the transaction of the change itself. ``changes`` is ``{field: [before, after]}``; values under names
    that speak of secrets are masked.
    """
    event: AuditEvent = AuditEvent.objects.create(
        at=now,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name[:254],
        impersonator_id=actor.impersonator.id if actor.impersonator else None,
        impersonator_name=actor.impersonator.name[:254] if actor.impersonator else "",
        action=action,
        target_kind=target.kind,
        target_id=str(target.id),
        target_name=target.name[:254],
        changes=mask_secrets(changes or {}),
        request_id=actor.request_id,
        address=actor.address,
    )
    return event


def record_act_in(
    workspace: AuditedWorkspace,
    *,
    actor: Actor,
    action: str,
    target: Target,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Append one act to the trail of ``workspace``, wherever the caller is.

    While it has no schema yet, the platform's trail keeps the act.
    """
    with enter(workspace) if workspace.fingerprint else enter_public():
        return record_act(actor=actor, action=action, target=target, now=now, changes=changes)


def mask_secrets(changes: Mapping[str, Any]) -> dict[str, Any]:
    """``changes`` with every value masked whose name speaks of a secret, at any depth."""
    return {name: _masked(name, value) for name, value in changes.items()}


def _masked(name: str, value: Any) -> Any:
    if any(word in name.lower() for word in _SECRET_WORDS):
        return [_MASK, _MASK] if isinstance(value, list | tuple) else _MASK
    return _masked_within(value)


def _masked_within(value: Any) -> Any:
    if isinstance(value, Mapping):
        return mask_secrets(value)
    if isinstance(value, list | tuple):
        return [_masked_within(item) for item in value]
    return value
