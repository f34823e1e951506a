"""What this app registers: its kinds of steps and the events it writes.

Further kinds of steps are registered the same way, by the app that owns them.
"""

from __future__ import annotations

from typing import Any

from apps.common.archiving import check_rows
from apps.events.services import declare_event
from apps.workflows.definitions import StepCall, StepKind, register
from apps.workflows.services import archived_rows


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

declare_event("run.succeeded", "A run ended well; data.run, data.workflow, data.app and data.trigger name it")
declare_event("run.failed", "A run ended without outputs; data.error says why")

check_rows("workflows_workflow", archived_rows.check_workflow)
check_rows("workflows_run", archived_rows.check_run)
