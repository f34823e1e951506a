"""Settings for processes whose leases end within a test."""

from datetime import timedelta

from config.settings.test import *  # noqa: F403 - settings build on settings

LEASE_LIFETIME = timedelta(seconds=4)
LEASE_MARGIN = timedelta(seconds=1)
