"""Many callers in many workspaces at once, against the real web server: everybody reads their own rows only."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from django.core.management import call_command
from django.utils import timezone

from apps.access.services.keys import create_key
from apps.accounts.tests.factories import UserFactory, act_as
from apps.applications.models import App
from apps.billing.tests.factories import set_limit
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
    set_limit(workspace, "apps", None)
    set_limit(workspace, "runtime.requests", None)
    actor = act_as(owner)
    grant = resolver().grant_for(actor, workspace.slug)
    assert grant is not None
    key = create_key(workspace=workspace, name=mark, scopes=sorted(grant.codes), actor=actor, grant=grant, now=now)
    publish_app(workspace, adder(title=f"Adder of {mark}"), visitor_limit=1_000_000)
    with enter(workspace):
        App.objects.filter(slug="home").update(name=f"Home of {mark}")
        App.objects.exclude(slug="home").update(name=f"Adder of {mark}", description=mark)
        ids = [str(pk) for pk in App.objects.values_list("pk", flat=True)]
    return Tenant(mark, workspace.slug, {"Authorization": f"Api-Key {key.presented}"}, ids)


@dataclass
class Caller:
    """One caller's requests; each returns what is wrong with the answer, or nothing."""

    client: httpx.Client
    chance: random.Random

    def visit(self, mine: Tenant, other: Tenant) -> tuple[str, str]:
        kind = self.chance.choice(KINDS)
        return kind, getattr(self, kind)(mine, other)

    def _get(self, tenant: Tenant, path: str, *, as_: Tenant | None = None) -> httpx.Response:
        address = f"/api/v1/workspaces/{tenant.slug}/{path}"
        return self.client.get(address, headers=(as_ or tenant).headers)

    def list_apps(self, mine: Tenant, other: Tenant) -> str:
        names = [item["name"] for item in self._get(mine, "apps").json()["items"]]
        return "" if names and all(mine.mark in name for name in names) else str(names)

    def read_app(self, mine: Tenant, other: Tenant) -> str:
        app = self._get(mine, f"apps/{self.chance.choice(mine.app_ids)}").json()
        return "" if mine.mark in app.get("name", "") else str(app)

    def list_members(self, mine: Tenant, other: Tenant) -> str:
        people = [item["user"]["email"] for item in self._get(mine, "members").json()["items"]]
        return "" if people == [f"{mine.mark}@example.com"] else str(people)

    def read_trail(self, mine: Tenant, other: Tenant) -> str:
        acts = self._get(mine, "audit?action=app.create").json()["items"]
        foreign = [act for act in acts if mine.mark not in act["target"]["name"] and act["target"]["name"] != "Home"]
        return str(foreign) if foreign else ""

    def make_app(self, mine: Tenant, other: Tenant) -> str:
        body = {"name": f"New {mine.mark} {self.chance.random()}"}
        made = self.client.post(f"/api/v1/workspaces/{mine.slug}/apps", json=body, headers=mine.headers)
        return "" if made.status_code == 201 and mine.mark in made.json()["name"] else made.text

    def see_page(self, mine: Tenant, other: Tenant) -> str:
        page = self.client.get(f"/runtime/{mine.slug}/adder").text
        return "" if f"Adder of {mine.mark}" in page else page[:400]

    def run_action(self, mine: Tenant, other: Tenant) -> str:
        first, second = self.chance.randrange(1000), self.chance.randrange(1000)
        body = {"action": "add", "inputs": {"a": first, "b": second}}
        headers = {"Accept": "application/json"}
        run = self.client.post(f"/runtime/{mine.slug}/adder", json=body, headers=headers).json()
        return "" if run.get("outputs") == {"sum": first + second} else str(run)

    def ask_for_foreign_apps(self, mine: Tenant, other: Tenant) -> str:
        answer = self._get(other, "apps", as_=mine)
        return "" if answer.status_code == 404 else answer.text

    def ask_for_foreign_app(self, mine: Tenant, other: Tenant) -> str:
        answer = self._get(mine, f"apps/{self.chance.choice(other.app_ids)}")
        return "" if answer.status_code == 404 else answer.text


KINDS = sorted(name for name in vars(Caller) if name.partition("_")[0] in {"list", "read", "make", "see", "run", "ask"})


def test_fault_05_32_threads_over_20_workspaces_read_their_own_rows(committed_database: str, tmp_path: Path) -> None:
    call_command("bootstrap", slots=2 * WORKSPACES, verbosity=0)
    tenants = [_make_tenant(number) for number in range(WORKSPACES)]
    web = Web(committed_database, tmp_path / "web.log")
    findings, lock = Findings(), threading.Lock()
    until = time.monotonic() + SECONDS

    def call_around(seed: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=30) as client:
            caller = Caller(client, random.Random(seed))
            while time.monotonic() < until:
                mine, other = caller.chance.sample(tenants, 2)
                try:
                    kind, wrong = caller.visit(mine, other)
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
    assert set(findings.requests) == set(KINDS)
    assert findings.requests.total() > 300, findings.requests
