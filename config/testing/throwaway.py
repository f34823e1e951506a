"""A pytest plugin: unless DATABASE_URL and REDIS_URL are given, the run has a PostgreSQL and a Redis of its own.

They are started before the settings are read, shared by the parallel workers (each makes its own database), and gone
with everything they wrote when the run ends, however it ends.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack

import pytest

from config.services import ServicesError, throwaway_services


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Runs before pytest-django loads the settings."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if not is_worker and not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        try:
            running = stack.enter_context(throwaway_services())
        except ServicesError as error:
            raise pytest.UsageError(str(error)) from None
        os.environ["DATABASE_URL"] = running.database_url
        os.environ["REDIS_URL"] = running.redis_url
    return (yield)
