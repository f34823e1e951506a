"""What databases' kinds of operations have in common."""

from __future__ import annotations

import pytest
from django.conf import settings

from apps.operations.services.kinds import Step, registered_kinds

#: Steps that take as long as there is data; what they are called is the same in every kind.
_MOVING = {"apply", "backup", "compare", "dump", "fetch", "load", "verify"}
_STEPS = {
    f"{kind.name}.{step.name}": step
    for kind in registered_kinds()
    if kind.name.startswith("databases.")
    for step in kind.steps().values()
}


@pytest.mark.parametrize("name", [name for name in _STEPS if name.rpartition(".")[2] in _MOVING])
def test_a_step_that_moves_data_has_hours_not_minutes(name: str) -> None:
    step: Step = _STEPS[name]
    assert step.time_limit is not None
    assert step.time_limit > 6 * settings.STEP_TIME_LIMIT
