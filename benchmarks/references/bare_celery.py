"""Celery alone: a task without tenants, database or Django, on the same broker. It tells when it began."""

from __future__ import annotations

import os
import time

import redis
from celery import Celery

# Not the current one: the process that measures sends our messages, too.
app = Celery("bare", broker=os.environ["REDIS_URL"], set_as_current=False)
app.conf.update(
    broker_transport_options={"global_keyprefix": os.environ["BENCH_BARE_PREFIX"]},
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
)

BEGUN = os.environ["BENCH_BARE_PREFIX"] + "begun"


@app.task(name="bare.begin")
def begin() -> None:
    """What is measured: when a worker came to the first line of a task."""
    now = time.monotonic()
    redis.Redis.from_url(os.environ["REDIS_URL"]).rpush(BEGUN, repr(now))
