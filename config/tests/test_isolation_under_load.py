"""Many callers in many workspaces at once, against the real web server: everybody reads their own rows only."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from django.core.management import call_command
from django.utils import timezone

from apps.access.services.keys import create_key
from apps.accounts.tests.factories import UserFactory
from apps.applications.models import App
from apps.common.actors import Actor, ActorKind
from apps.common.permissions import resolver
from apps.common.tenancy import enter
from apps.runtime.tests.factories import adder, publish_app
from apps.runtime.tests.servers import Web
from apps.workspaces.tests.factories import create_test_workspace

WORKSPACES = 20
THREADS = 32
SECONDS = 30.0


@dataclass
class Tenant:
    """A workspace whose every row bears its mark."""

    mark: str
    slug: str
    headers: dict[str, str]
    app_ids: list[str]


@dataclass
class Findings:
    """What the threads saw."""

    requests: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def _make_tenant(number: int) -> Tenant:
    now = timezone.now()
    mark = f"mark{number:02d}x"
    owner = UserFactory(name=f"Owner {mark}", email=f"{mark}@example.com")
    workspace = create_test_workspace(owner=owner, slug=mark, name=f"Place {mark}")
    actor = Actor(kind=ActorKind.USER, id=owner.pk, name=owner.name, user_id=owner.pk)
    grant = resolver().grant_for(actor, workspace.slug)
    assert grant is not None
    key = create_key(workspace=workspace, name=mark, scopes=sorted(grant.codes), actor=actor, grant=grant, now=now)
    publish_app(workspace, adder(title=f"Adder of {mark}"), visitor_limit=1_000_000)
    with enter(workspace):
        App.objects.filter(slug="home").update(name=f"Home of {mark}")
        App.objects.exclude(slug="home").update(name=f"Adder of {mark}", description=mark)
        ids = [str(pk) for pk in App.objects.values_list("pk", flat=True)]
    return Tenant(mark, workspace.slug, {"Authorization": f"Api-Key {key.presented}"}, ids)


def _visit(client: httpx.Client, mine: Tenant, other: Tenant, numbers: Any, chance: random.Random) -> tuple[str, str]:
    """One request; returns its kind and what is wrong with the answer, if anything."""
    kind = chance.choice(["list", "read", "members", "audit", "write", "page", "run", "foreign", "foreign id"])
    base = f"/api/v1/workspaces/{mine.slug}"
    if kind == "list":
        names = [item["name"] for item in client.get(f"{base}/apps", headers=mine.headers).json()["items"]]
        return kind, "" if names and all(mine.mark in name for name in names) else str(names)
    if kind == "read":
        app = client.get(f"{base}/apps/{chance.choice(mine.app_ids)}", headers=mine.headers).json()
        return kind, "" if mine.mark in app.get("name", "") else str(app)
    if kind == "members":
        people = [item["user"]["email"] for item in client.get(f"{base}/members", headers=mine.headers).json()["items"]]
        return kind, "" if people == [f"{mine.mark}@example.com"] else str(people)
    if kind == "audit":
        acts = client.get(f"{base}/audit?action=app.create", headers=mine.headers).json()["items"]
        foreign = [act for act in acts if mine.mark not in act["target"]["name"] and act["target"]["name"] != "Home"]
        return kind, str(foreign) if foreign else ""
    if kind == "write":
        body = {"name": f"New {mine.mark} {next(numbers)}"}
        made = client.post(f"{base}/apps", json=body, headers=mine.headers)
        return kind, "" if made.status_code in {201, 402, 409} else made.text
    if kind == "page":
        page = client.get(f"/runtime/{mine.slug}/adder").text
        return kind, "" if f"Adder of {mine.mark}" in page else page[:400]
    if kind == "run":
        first, second = chance.randrange(1000), chance.randrange(1000)
        body = {"action": "add", "inputs": {"a": first, "b": second}}
        run = client.post(f"/runtime/{mine.slug}/adder", json=body, headers={"Accept": "application/json"}).json()
        return kind, "" if run.get("outputs") == {"sum": first + second} else str(run)
    if kind == "foreign":
        answer = client.get(f"/api/v1/workspaces/{other.slug}/apps", headers=mine.headers)
        return kind, "" if answer.status_code == 404 else answer.text
    answer = client.get(f"{base}/apps/{chance.choice(other.app_ids)}", headers=mine.headers)
    return kind, "" if answer.status_code == 404 else answer.text


def test_fault_05_32_threads_over_20_workspaces_read_their_own_rows(committed_database: str, tmp_path: Path) -> None:
    call_command("bootstrap", slots=2 * WORKSPACES, verbosity=0)
    tenants = [_make_tenant(number) for number in range(WORKSPACES)]
    web = Web(committed_database, tmp_path / "web.log")
    findings, lock, numbers = Findings(), threading.Lock(), count()
    until = time.monotonic() + SECONDS

    def call_around(seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=30) as client:
            while time.monotonic() < until:
                mine, other = chance.sample(tenants, 2)
                try:
                    kind, wrong = _visit(client, mine, other, numbers, chance)
                except (KeyError, ValueError, httpx.HTTPError) as error:
                    kind, wrong = "error", repr(error)
                with lock:
                    findings.requests[kind] += 1
                    if wrong:
                        findings.wrong.append(f"{mine.mark} {kind}: {wrong}")

    threads = [threading.Thread(target=call_around, args=(seed,)) for seed in range(THREADS)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 60)
    finally:
        web.stop()
    assert not findings.wrong, findings.wrong[:5]
    assert len(findings.requests) == 9
    assert findings.requests.total() > 300, findings.requests
