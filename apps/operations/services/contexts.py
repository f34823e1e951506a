"""What steps and hooks are told about their operation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from apps.common.actors import SYSTEM, Actor
from apps.operations.models import Operation
from apps.operations.services.kinds import StepContext


def _say_nothing(percent: int, sentence: str) -> None:
    """Hooks have no progress to show."""


def _hold_nothing() -> None:
    """Hooks run under the row's lock."""


def context_of(
    operation: Operation,
    *,
    clock: Callable[[], datetime],
    report: Callable[[int, str], None] = _say_nothing,
    require_lease: Callable[[], None] = _hold_nothing,
) -> StepContext:
    """The context of the operation as it is now."""
    return StepContext(
        operation_id=operation.pk,
        workspace_id=operation.workspace_id,
        target_id=operation.target_id,
        params=operation.params,
        results={record["name"]: record["result"] for record in operation.steps if record["done_at"]},
        attempt=operation.attempt,
        actor=Actor.from_json(operation.requested_by) if operation.requested_by else SYSTEM,
        clock=clock,
        report=report,
        require_lease=require_lease,
    )
