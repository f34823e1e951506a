"""Work for workers, enqueued by name, sent when the transaction commits."""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

from apps.common.circuit import Circuit
from apps.common.tenancy import current_schema

log = structlog.get_logger(__name__)
broker = Circuit("broker", pause=settings.REDIS_PAUSE.total_seconds())


def enqueue(name: str, *, queue: str | None = None, delay: float = 0, **ids: Any) -> None:
    """Send the task ``name`` with ``ids`` (strings, numbers; never rows) after the present transaction commits.

    ``delay`` (seconds, short) is how long a worker waits before it starts; longer waits are rows with a time.
    The message is a wake-up only: when the broker is down this logs and returns, and the sweep finds the work later.
    """
    schema = current_schema()
    transaction.on_commit(
        partial(_send, name, queue, delay, schema, {key: _plain(value) for key, value in ids.items()}), robust=True
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _send(name: str, queue: str | None, delay: float, schema: str, kwargs: dict[str, Any]) -> None:
    if not broker.closed:
        return
    try:
        current_app.send_task(
            name,
            kwargs=kwargs,
            queue=queue,
            countdown=delay or None,
            headers={"_schema_name": schema},
            retry=False,
        )
    except Exception as error:  # noqa: BLE001 - see below
        # Whatever the broker's client raises: the row is the truth and the sweep will find it.
        broker.fail(error)
        log.warning("enqueue_failed", task=name, error=str(error))
    else:
        broker.succeed()
