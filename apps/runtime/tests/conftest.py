"""Every test starts with a process that has seen nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.accounts.tests.factories import UserFactory
from apps.billing.services.metering import meter
from apps.runtime.services.counting import rate_limits
from apps.runtime.services.recording import recorder
from apps.runtime.services.resolution import resolver
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.servers import Relay, Web
from apps.workspaces.tests.factories import create_test_workspace


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    resolver.forget()
    rate_limits.forget()
    recorder.forget()
    meter.forget()
    yield
    recorder.forget()
    meter.forget()


@pytest.fixture
def relay(committed_database: str) -> Iterator[Relay]:
    parts = urlsplit(committed_database)
    made = Relay(parts.hostname or "127.0.0.1", parts.port or 5432)
    yield made
    with suppress(OSError):
        made.cut()


@pytest.fixture
def published(committed_database: str) -> tuple[Any, Any]:
    workspace = create_test_workspace(owner=UserFactory())
    return workspace, publish_app(workspace, visitor_limit=100_000)


@pytest.fixture
def web(committed_database: str, relay: Relay, published: Any, tmp_path: Path) -> Iterator[Web]:
    parts = urlsplit(committed_database)
    caller = parts.netloc.rpartition("@")[0]
    url = parts._replace(netloc=f"{caller}@127.0.0.1:{relay.port}").geturl()
    made = Web(url, tmp_path / "web.log")
    yield made
    made.stop()
