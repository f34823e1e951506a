"""Metrics that stand in the database: read when they are asked for, so that every process tells the same.

What a process counts itself ends with the process and is added up over those that share PROMETHEUS_MULTIPROC_DIR. What
is here is neither: an app registers a source when the apps are ready, and ``/metrics`` asks all of them at each scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.common.tenancy import enter_public

log = structlog.get_logger(__name__)

#: ``read(now)`` runs in the public schema, in a transaction, within METRICS_TIMEOUT.
Read = Callable[[datetime], Iterable[Metric]]

_sources: dict[str, Read] = {}


def register_source(name: str, read: Read) -> None:
    """Ask ``read`` at each scrape. Raises ValueError for a second source of that name."""
    if name in _sources:
        raise ValueError(f"The source of metrics {name} is registered twice")
    _sources[name] = read


def export_stored_metrics() -> bytes:
    """What all sources tell, in Prometheus' text format, and for each whether it could be read. Never raises."""
    registry = CollectorRegistry()
    registry.register(_Sources())
    exported: bytes = generate_latest(registry)
    return exported


class _Sources(Collector):
    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry would else read everything once more to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        readable = GaugeMetricFamily(
            "apprun_stored_metrics_up",
            "1 when what this source keeps in the database could be read for this answer, else 0.",
            labels=["source"],
        )
        for name, read in sorted(_sources.items()):
            found = _read(name, read)
            readable.add_metric([name], 0 if found is None else 1)
            yield from found or ()
        yield readable


def _read(name: str, read: Read) -> list[Metric] | None:
    """What the source tells; None when it can't."""
    milliseconds = round(settings.METRICS_TIMEOUT.total_seconds() * 1000)
    try:
        with enter_public(), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            return list(read(timezone.now()))
    except Exception as error:  # noqa: BLE001 - whatever one of them trips over, the answer must tell the others
        log.warning("metrics_unreadable", source=name, error=str(error), kind=type(error).__name__)
        return None
