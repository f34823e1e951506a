"""Forgetting what is too old: in small batches, so that no lock is long and no transaction large.

Every job is idempotent and keeps no record of how far it came: what is left is found again. Which jobs there are, and
what each keeps how long, stands in docs/operations/retention.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import models
from prometheus_client import Counter, Gauge

log = structlog.get_logger(__name__)

_deleted = Counter("apprun_retention_deleted_total", "Rows that were deleted because of their age, by job.", ["job"])
_ran_at = Gauge(
    "apprun_retention_last_run_timestamp_seconds",
    "When a job last came to its end, by job.",
    ["job"],
    multiprocess_mode="max",
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a run deleted, and whether it came to the end of what is too old."""

    count: int
    is_finished: bool


def forget_in_batches(job: str, forget: Callable[[int], int], **about: Any) -> Forgotten:
    """Call ``forget(limit)``, which deletes up to ``limit`` rows and returns how many, until it finds fewer.

    Each call should be a transaction of its own. Stops after ``RETENTION_RUN`` as well; the next run goes on. Counted
    and logged as ``job``, the log with what else is told ``about`` it.
    """
    started = time.monotonic()
    stop_at = started + settings.RETENTION_RUN.total_seconds()
    count = 0
    while True:
        deleted = forget(settings.RETENTION_BATCH)
        count += deleted
        _deleted.labels(job).inc(deleted)
        is_finished = deleted < settings.RETENTION_BATCH
        if is_finished or time.monotonic() >= stop_at:
            break
    if is_finished:
        _ran_at.labels(job).set_to_current_time()
    if count:
        seconds = round(time.monotonic() - started, 2)
        log.info("forgotten", job=job, count=count, finished=is_finished, seconds=seconds, **about)
    return Forgotten(count, is_finished)


def delete_some(rows: models.QuerySet[Any], limit: int) -> int:
    """Delete the first ``limit`` of ``rows``, in their order, in one statement; returns how many.

    A row that another transaction changes meanwhile goes only if it still belongs to ``rows``. For rows that nothing
    refers to: they are not loaded, no signal is sent, nothing cascades (IntegrityError where something would have to).
    """
    keys = list(rows.values_list("pk", flat=True)[:limit])
    if not keys:
        return 0
    chosen: Any = rows.order_by().filter(pk__in=keys)
    deleted: int = chosen._raw_delete(using=chosen.db)
    return deleted
