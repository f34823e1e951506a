"""Included in a worker: its migrations die by SIGKILL where DIE_AT says, at their first attempt only."""

from __future__ import annotations

import os
import signal
from typing import Any

from apps.databases.services import migration_steps
from apps.operations.services import engine

DIE_AT = os.environ.get("DIE_AT", "")


def _die(*_args: Any, **_options: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _begins_dying(context: Any) -> None:
    """Before the first attempt's step: put the death where it belongs."""
    if context.attempt > 1:
        return
    if DIE_AT == "before the commit":
        migration_steps.write_record = _die
    elif DIE_AT == "after the commit":
        plain, calls = migration_steps._mirror, []

        def mirror(*args: Any) -> None:
            calls.append(1)
            if len(calls) > 1:
                _die()
            plain(*args)

        migration_steps._mirror = mirror
    elif DIE_AT == "before the grants":
        migration_steps.bound_growth = _die
    elif DIE_AT == "after the grants":
        migration_steps.measure_database = _die
    elif DIE_AT == "before apply is recorded":
        engine._record = _die


_context = engine._context


def _dying_context(*args: Any) -> Any:
    context = _context(*args)
    _begins_dying(context)
    return context


engine._context = _dying_context
