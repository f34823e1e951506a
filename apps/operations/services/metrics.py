"""Operations in ``/metrics``: read from the database at each scrape (docs/operations/metrics.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

from apps.common.stored_metrics import register_source
from apps.operations.selectors.load import outcome_sums
from apps.operations.services.kinds import registered_kinds
from apps.operations.services.load import read_load
from apps.operations.states import Outcome


def read_operation_metrics(now: datetime) -> Iterator[Metric]:
    """What waits and runs by queue, and what ended by kind. Every queue and every kind is there, with 0 at least, so
    that the first failure of a kind is an increase."""
    yield from _load(now)
    yield from _outcomes()


def _load(now: datetime) -> Iterator[Metric]:
    names = ("waiting", "postponed", "running", "abandoned", "age")
    queues: dict[str, dict[str, float]] = {name: dict.fromkeys(names, 0.0) for name in settings.WORKER_QUEUES}
    for load in read_load(now=now):
        sums = queues.setdefault(load.queue, dict.fromkeys(names, 0.0))
        sums["waiting"] += load.waiting
        sums["postponed"] += load.postponed
        sums["running"] += load.running
        sums["abandoned"] += load.abandoned
        sums["age"] = max(sums["age"], (now - load.oldest).total_seconds() if load.oldest else 0)
    for key, name, text in (
        ("waiting", "apprun_operations_waiting", "Operations that are due and that no worker holds, by queue."),
        (
            "age",
            "apprun_operations_oldest_waiting_seconds",
            "How long the longest waiting operation has been due, by queue; 0 when none waits. Those that wait for "
            "another operation on their target, or for their workspace's limit, aside.",
        ),
        (
            "postponed",
            "apprun_operations_postponed",
            "Operations for later, by queue: asked for a later time, or resting after a failure.",
        ),
        ("running", "apprun_operations_running", "Operations that a worker holds, by queue."),
        (
            "abandoned",
            "apprun_operations_abandoned",
            "Running operations whose worker is gone, by queue; the sweep takes them over within seconds.",
        ),
    ):
        family = GaugeMetricFamily(name, text, labels=["queue"])
        for queue, sums in sorted(queues.items()):
            family.add_metric([queue], sums[key])
        yield family


def _outcomes() -> Iterator[Metric]:
    sums = outcome_sums()
    kinds = sorted({kind.name for kind in registered_kinds()} | {kind for kind, _ in sums})
    counts: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
    for (kind, outcome), found in sums.items():
        counts[kind][outcome] = found
    ended = CounterMetricFamily(
        "apprun_operations_finished",
        "Operations that came to an end, by kind and outcome, since the platform was installed: kept in the database, "
        "so neither restarts nor retention take any away. One that is retried and fails again counts twice.",
        labels=["kind", "outcome"],
    )
    retries = CounterMetricFamily(
        "apprun_operations_postponed_attempts",
        "Attempts that failed and were put off for another try, by kind, since the platform was installed.",
        labels=["kind"],
    )
    durations = SummaryMetricFamily(
        "apprun_operations_duration_seconds",
        "From the first claim to the end of operations that succeeded, by kind, pauses between attempts included.",
        labels=["kind"],
    )
    for kind in kinds:
        for outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELED):
            ended.add_metric([kind, outcome.value], counts[kind].get(outcome, (0, 0.0))[0])
        retries.add_metric([kind], counts[kind].get(Outcome.POSTPONED, (0, 0.0))[0])
        durations.add_metric([kind], *counts[kind].get(Outcome.SUCCEEDED, (0, 0.0)))
    yield from (ended, retries, durations)


register_source("operations", read_operation_metrics)
