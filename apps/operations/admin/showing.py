"""An operation as its page shows it: its steps, how each stands, and how soon to look again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from apps.operations.models import Operation
from apps.operations.services.kinds import find_kind
from apps.operations.states import OperationStatus

#: The look of a state, by Unfold's names of labels.
TONES = {
    OperationStatus.QUEUED: "warning",
    OperationStatus.RUNNING: "info",
    OperationStatus.SUCCEEDED: "success",
    OperationStatus.FAILED: "danger",
    OperationStatus.CANCELED: "",
}
_SOON = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step: its name, the sentence that people read while it runs, how it stands, and since when it is done."""

    name: str
    sentence: str
    state: str
    word: str
    icon: str
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownOperation:
    """What the page tells of the operation at the moment ``now``; ``refresh_seconds`` is 0 when nothing changes."""

    title: str
    tone: str
    steps: list[ShownStep]
    done: int
    failed_step: str
    next_attempt_at: datetime | None
    refresh_seconds: int


def show_operation(operation: Operation, *, now: datetime) -> ShownOperation:
    """How the operation stands now."""
    kind = find_kind(operation.kind)
    known = kind.steps() if kind else {}
    steps = []
    for record in operation.steps:
        name = record["name"]
        state = _state(operation, record)
        word, icon = _WORDS[state]
        sentence = known[name].message if name in known else ""
        done_at = parse_datetime(record["done_at"]) if record["done_at"] else None
        steps.append(ShownStep(name, sentence, state, word, icon, done_at))
    waits = operation.status == OperationStatus.QUEUED and operation.next_attempt_at > now
    return ShownOperation(
        title=kind.title if kind else operation.kind,
        tone=TONES[OperationStatus(operation.status)],
        steps=steps,
        done=sum(step.state == "done" for step in steps),
        failed_step=(operation.error or {}).get("step", ""),
        next_attempt_at=operation.next_attempt_at if waits else None,
        refresh_seconds=_refresh_seconds(operation, now),
    )


_WORDS = {
    "done": ("Done", "check_circle"),
    "running": ("Running", "progress_activity"),
    "failed": ("Failed", "error"),
    "again": ("To be tried again", "replay"),
    "waiting": ("Waiting", "radio_button_unchecked"),
    "skipped": ("Not begun", "block"),
}


def _state(operation: Operation, record: dict[str, Any]) -> str:
    if record["done_at"]:
        return "done"
    if operation.status == OperationStatus.RUNNING:
        return "running" if record["name"] == operation.current_step else "waiting"
    went_wrong = (operation.error or {}).get("step") == record["name"]
    if operation.status == OperationStatus.QUEUED:
        return "again" if went_wrong else "waiting"
    return "failed" if went_wrong else "skipped"


def _refresh_seconds(operation: Operation, now: datetime) -> int:
    if operation.is_finished:
        return 0
    far = operation.status == OperationStatus.QUEUED and operation.next_attempt_at > now + _SOON
    whole: timedelta = settings.CONSOLE_REFRESH_IDLE if far else settings.CONSOLE_REFRESH
    return int(whole.total_seconds())


def describe_result(result: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What an operation brought, as names and values for people; what lies deeper is put into one line."""
    return [(name.replace("_", " "), _in_one_line(value)) for name, value in (result or {}).items()]


def _in_one_line(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_in_one_line(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_in_one_line(inner) for inner in value) or "none"
    return "–" if value is None else str(value)
