"""A kind of operation whose only step tells when it began; a worker includes this module."""

from __future__ import annotations

import os
import time

import redis

from apps.operations.services.kinds import Step, StepContext, register_kind

KIND = "bench.begin"
BEGUN = os.environ["REDIS_KEY_PREFIX"] + "begun"


def _begin(context: StepContext) -> None:
    now = time.monotonic()
    redis.Redis.from_url(os.environ["REDIS_URL"]).rpush(BEGUN, repr(now))


register_kind(KIND, title="Tell when it began", target_kind="probe", steps=[Step("begin", _begin, "Beginning.")])
