"""The settings of worker processes whose steps end soon."""

from datetime import timedelta

from config.settings.test import *  # noqa: F403

STEP_TIME_LIMIT = timedelta(seconds=1)
STEP_MEMORY_LIMIT = 100 * 1024 * 1024
STEP_WATCH = timedelta(milliseconds=50)
STEP_END_GRACE = timedelta(seconds=1)
OPERATION_LEASE = timedelta(seconds=4)
OPERATION_HEARTBEAT = timedelta(seconds=0.5)
