"""What a process remembers of parts that failed it."""

from __future__ import annotations

import pytest

from apps.common import queue, redis_access


@pytest.fixture(autouse=True)
def every_part_may_be_asked() -> None:
    """A part that failed in the test before is asked again in this one."""
    for circuit in (queue.broker, redis_access.circuit):
        circuit.succeed()
