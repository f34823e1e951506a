"""The kinds of steps that this app brings. Further ones are registered the same way, by the app that owns them."""

from __future__ import annotations

from typing import Any

from apps.workflows.definitions import StepCall, StepKind, register


def run_transform(call: StepCall) -> Any:
    """The values of ``set``, evaluated."""
    return call.fields["set"]


TRANSFORM = StepKind(
    name="transform",
    purpose="Computes values: its value is the map `set` with every expression evaluated.",
    properties={"set": {"type": "object", "description": "Names and values; expressions anywhere inside."}},
    required=("set",),
    run=run_transform,
    records_input=False,
)

register(TRANSFORM)
