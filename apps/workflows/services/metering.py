"""What runs cost: one of ``workflow.runs`` each, and ``workflow.seconds``, each run's time rounded up to whole ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from uuid import UUID

from django.conf import settings

from apps.billing.services.metering import Hold, Metered, meter
from apps.workflows.services.execution import RunResult

RUNS, SECONDS = "workflow.runs", "workflow.seconds"


class RunUnits:
    """What a run may use. ``budget`` is the seconds that it may take: RUN_INLINE_LIMIT, or those that are left."""

    def __init__(self, run: Hold, seconds: Hold, app_id: UUID | None) -> None:
        self._run = run
        self._seconds = seconds
        self._app_id = app_id
        self.budget = min(settings.RUN_INLINE_LIMIT.total_seconds(), float(seconds.units))

    def count(self, result: RunResult) -> None:
        """The run is over and recorded: it counts, whatever came of it."""
        took = (result.finished_at - result.started_at).total_seconds()
        self._run.settle(app_id=self._app_id, amount=1)
        self._seconds.settle(app_id=self._app_id, amount=max(1, ceil(took)))

    def release(self) -> None:
        """Nothing counts, unless it was counted."""
        self._run.settle(app_id=self._app_id, amount=0)
        self._seconds.settle(app_id=self._app_id, amount=0)


@contextmanager
def metered_run(workspace: Metered, *, source: str, app_id: UUID | None = None) -> Iterator[RunUnits]:
    """Set aside what one run needs; what isn't counted in the block is free again behind it.

    Raises QuotaExceeded and Unavailable before the block: then nothing has run.
    """
    seconds = meter.hold(workspace, SECONDS, ceil(settings.RUN_INLINE_LIMIT.total_seconds()), source=source)
    try:
        run = meter.hold(workspace, RUNS, 1, source=source)
    except BaseException:
        seconds.settle(app_id=app_id, amount=0)
        raise
    units = RunUnits(run, seconds, app_id)
    try:
        yield units
    finally:
        units.release()
