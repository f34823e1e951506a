"""The runtime in a real web process: PostgreSQL taken away and given back, the process stopped and killed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from apps.common.tenancy import enter
from apps.runtime.models import RuntimeEvent, Session
from apps.runtime.tests.factories import adder, publish_version
from apps.runtime.tests.servers import Relay, Web
from config.testing.processes import wait_for


def test_fault_62_public_pages_are_served_while_postgresql_is_stopped(web: Web, relay: Relay, published: Any) -> None:
    workspace, app = published
    url = f"/runtime/{workspace.slug}/adder"
    assert "X-AppRun-Stale" not in web.client.get(url).headers
    relay.cut()
    time.sleep(0.6)
    stale = web.client.get(url)
    assert stale.status_code == 200
    assert stale.headers["X-AppRun-Stale"] == "1"
    assert stale.headers["Warning"].startswith("110")
    assert "shown from memory" in stale.text
    refused = web.client.post(url, json={"action": "add", "inputs": {"a": 1, "b": 2}})
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert refused.headers["Content-Type"] == "application/problem+json"
    unknown = web.client.get(f"/runtime/{workspace.slug}/unknown")
    assert unknown.status_code == 503, "what isn't known can't be said not to be there"

    relay.restore()
    assert wait_for(lambda: "X-AppRun-Stale" not in web.client.get(url).headers, seconds=10)
    publish_version(workspace, app, adder(title="Healed"))
    assert wait_for(lambda: "<h1>Healed</h1>" in web.client.get(url).text, seconds=1.5)
    healed = web.client.post(url, json={"action": "add", "inputs": {"a": 1, "b": 2}})
    assert healed.json()["outputs"] == {"sum": 3.0}


def test_fault_62_a_process_that_starts_without_postgresql_serves_from_redis(
    web: Web, relay: Relay, published: Any, committed_database: str, tmp_path: Path
) -> None:
    workspace, _ = published
    url = f"/runtime/{workspace.slug}/adder"
    web.client.get(url)
    relay.cut()
    second = Web(f"postgres://apprun@127.0.0.1:{relay.port}/none", tmp_path / "second.log")
    try:
        answer = second.client.get(url)
        assert answer.status_code == 200
        assert answer.headers["X-AppRun-Stale"] == "1"
    finally:
        second.stop()


def test_a_publish_is_seen_within_a_second(web: Web, published: Any) -> None:
    workspace, app = published
    url = f"/runtime/{workspace.slug}/adder"
    web.client.get(url)
    publish_version(workspace, app, adder(title="Second"))
    published_at = time.monotonic()
    assert wait_for(lambda: "<h1>Second</h1>" in web.client.get(url).text, seconds=3)
    assert time.monotonic() - published_at < 1.0


def test_no_event_is_lost_when_the_process_is_stopped_in_order(web: Web, published: Any) -> None:
    workspace, app = published
    url = f"/runtime/{workspace.slug}/adder"
    for _ in range(25):
        assert web.client.get(url).status_code == 200
    web.stop()
    with enter(workspace):
        assert RuntimeEvent.objects.of_app(app.id).count() == 25
        assert Session.objects.of_app(app.id).count() == 1


def test_at_most_a_second_is_lost_when_the_process_is_killed(web: Web, published: Any) -> None:
    workspace, app = published
    url = f"/runtime/{workspace.slug}/adder"
    for _ in range(10):
        web.client.get(url)
    time.sleep(1.1)
    for _ in range(5):
        web.client.get(url)
    web.kill()
    with enter(workspace):
        assert 10 <= RuntimeEvent.objects.of_app(app.id).count() <= 15
