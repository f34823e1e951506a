"""A worker that kills itself (SIGKILL) at a point that is told.

``python -m apps.archives.tests.dying_worker <operation> <step> inside|after`` carries the operation out until then.
``inside`` is behind the outside effect of the step, before its transaction is committed or its result recorded.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

#: Step → the function within it behind which is "inside".
_INSIDE = {
    "write": "apps.archives.services.exports.store",
    "prove": "apps.archives.services.exports.read_stored",
    "check": "apps.archives.services.imports.read_stored",
    "load": "apps.archives.services.imports.adopt_workspace",
    "tidy": "apps.archives.services.imports.discard",
}


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(run: Callable[..., Any]) -> Callable[..., Any]:
    def and_die(*args: Any, **kwargs: Any) -> Any:
        run(*args, **kwargs)
        die()

    return and_die


def main(operation_id: str, step_name: str, where: str) -> None:
    from importlib import import_module

    from django.utils import timezone

    from apps.operations.models import Operation
    from apps.operations.services.engine import run_operation
    from apps.operations.services.kinds import require_kind

    kind = require_kind(Operation.objects.get(pk=operation_id).kind)
    if where == "inside":
        module, _, name = _INSIDE[step_name].rpartition(".")
        setattr(import_module(module), name, dying_after(getattr(import_module(module), name)))
    else:
        steps = [
            replace(step, run=dying_after(step.run)) if step.name == step_name else step for step in kind.make_steps()
        ]
        object.__setattr__(kind, "make_steps", lambda: steps)
    run_operation(operation_id=UUID(operation_id), owner="dying", clock=timezone.now)


if __name__ == "__main__":
    import django

    django.setup()
    main(*sys.argv[1:])
