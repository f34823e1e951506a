"""The settings of worker processes whose leases run out at once unless they are extended."""

from datetime import timedelta

from config.settings.test import *  # noqa: F403

OPERATION_LEASE = timedelta(seconds=2)
OPERATION_HEARTBEAT = timedelta(milliseconds=200)
STEP_WATCH = timedelta(milliseconds=50)
