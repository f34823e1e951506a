"""Bar 8: use of one hot quota by 32 callers, against an atomic UPDATE for each; the endpoint against a plain insert."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import django
import psycopg

from benchmarks.bars import tell
from benchmarks.load import Request, requests_per_second
from benchmarks.measure import alternate
from benchmarks.places import database
from benchmarks.references import prepare_reference
from benchmarks.report import Result
from benchmarks.servers import granian, serving

OURS, PLAIN = 21530, 21531
SECRET = "bench-secret"
PROCESSES, THREADS = 2, 16
SECONDS = 2
EXACT = 200_000
DIMENSION = "runtime.requests"

_HOT_ROW = """
    CREATE TABLE quota (id int PRIMARY KEY, used bigint NOT NULL, hard_limit bigint NOT NULL);
    INSERT INTO quota VALUES (1, 0, 1000000000000)
"""
_UPDATE = "UPDATE quota SET used = used + 1 WHERE id = 1 AND used + 1 <= hard_limit;\n"


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=2)
    place = platform.make_place()
    server = os.environ["BENCH_SERVER"]
    with ExitStack() as stack:
        plain_url = stack.enter_context(database(server, "bench_metering_plain"))
        with psycopg.connect(plain_url, autocommit=True) as connection:
            connection.execute(_HOT_ROW)
        _tell_leased(place, plain_url)
        _tell_exact(place)
        references = {"PLAIN_DATABASE_URL": plain_url}
        prepare_reference("plain", 1, SECRET, references)
        ours = {"DATABASE_URL": os.environ["DATABASE_URL"]}
        stack.enter_context(
            serving(granian("config.wsgi:application", OURS), port=OURS, environment=ours, ready_path="/healthz")
        )
        command = granian("benchmarks.references.plain.wsgi:application", PLAIN)
        stack.enter_context(serving(command, port=PLAIN, environment=references, ready_path="/page"))
        _tell_consume(place)


def _tell_leased(place: Any, plain_url: str) -> None:
    _limit(place, None)
    compared = alternate(lambda: _spend(place)[0], lambda: _updates_per_second(plain_url))
    tell(
        Result(
            bar="8",
            what=f"units of one quota spent by {PROCESSES * THREADS} callers, against an UPDATE each (pgbench)",
            ours=f"{compared.ours:,.0f}/s",
            reference=f"{compared.reference:,.0f}/s",
            ratio=compared.ratio,
            wanted="≥ 10",
            holds=compared.ratio >= 10,
        )
    )


def _tell_exact(place: Any) -> None:
    """The same callers at a limit: the units that were allowed, the quota and the ledger are the limit."""
    from apps.billing.models import Quota, UsageEvent
    from apps.common.tenancy import enter

    with enter(place.workspace):
        before = Quota.objects.get(dimension=DIMENSION).used
    _limit(place, before + EXACT)
    allowed = _spend(place, until_refused=True)[1]
    with enter(place.workspace):
        quota = Quota.objects.get(dimension=DIMENSION)
        ledger = UsageEvent.objects.filter(dimension=DIMENSION).total() - before
    exact = allowed == EXACT == quota.used - before == ledger and quota.reserved == 0
    tell(
        Result(
            bar="8",
            what=f"allowed by {PROCESSES * THREADS} callers at a limit of {EXACT:,}, and in the ledger",
            ours=f"{allowed:,}",
            reference=f"{EXACT:,}",
            ratio=ledger / EXACT,
            wanted="= 1",
            holds=exact,
        )
    )
    _limit(place, None)


def _tell_consume(place: Any) -> None:
    def body(**members: object) -> bytes:
        return json.dumps({"idempotency_key": "bench-########", "amount": 1, **members}).encode()

    def headers(key: str) -> tuple[tuple[str, str], ...]:
        return (("Authorization", f"Api-Key {key}"), ("Content-Type", "application/json"))

    address = "/api/v1/billing/workspaces/bench/consume"
    ours = Request(OURS, address, headers(place.key), "POST", body(dimension="ai.tokens"))
    plain = Request(PLAIN, "/uses", headers(f"bench.{SECRET}"), "POST", body())
    _limit(place, None, "ai.tokens")
    compared = alternate(lambda: requests_per_second(ours, status=200), lambda: requests_per_second(plain, status=201))
    tell(
        Result(
            bar="8",
            what="consume over the API on one hot quota, against a plain DRF insert",
            ours=f"{compared.ours:,.0f}/s",
            reference=f"{compared.reference:,.0f}/s",
            ratio=compared.ratio,
            wanted="≥ 0.7",
            holds=compared.ratio >= 0.7,
        )
    )


def _limit(place: Any, hard: int | None, dimension: str = DIMENSION) -> None:
    from django.utils import timezone

    from apps.billing.models import Quota
    from apps.billing.services.quotas import find_quota
    from apps.common.tenancy import enter

    with enter(place.workspace):
        quota = find_quota(workspace=place.workspace, dimension=dimension, now=timezone.now())
        Quota.objects.filter(pk=quota.pk).update(hard_limit=hard, soft_limit=None, overage_allowed=False)


def _spend(place: Any, *, until_refused: bool = False) -> tuple[float, int]:
    """Units a second, and units, that callers in several processes are allowed; all is reported and returned."""
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    with context.Pool(PROCESSES) as pool:
        found = pool.starmap(_spend_here, [(place.workspace, until_refused)] * PROCESSES, chunksize=1)
    return sum(units / took for units, took in found), sum(units for units, _ in found)


def _spend_here(workspace: Any, until_refused: bool) -> tuple[int, float]:
    """One process: THREADS callers, and a thread that flushes as the web process's does."""
    from django.db import connection

    from apps.billing.services.metering import meter
    from apps.common.ids import new_id

    counts: list[int] = []
    app, done = new_id(), threading.Event()
    started = time.perf_counter()
    # Whoever was refused for so long has outlived what another process returned when it was idle.
    patience = 8.0 if until_refused else 0.0

    def call() -> None:
        units, last = 0, time.perf_counter()
        while True:
            now = time.perf_counter()
            if meter.spend(workspace, DIMENSION, app) is None:
                units, last = units + 1, now
            elif now - last > patience:
                break
            else:
                time.sleep(0.05)
            if not until_refused and now - started > SECONDS:
                break
        counts.append(units)
        connection.close()

    def flush() -> None:
        while not done.wait(0.5):
            meter.flush()
        connection.close()

    flusher = threading.Thread(target=flush)
    callers = [threading.Thread(target=call) for _ in range(THREADS)]
    for thread in (flusher, *callers):
        thread.start()
    for thread in callers:
        thread.join()
    took = time.perf_counter() - started
    done.set()
    flusher.join()
    meter.close()
    connection.close()
    return sum(counts), took


def _updates_per_second(url: str) -> float:
    parts = urlsplit(url)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_UPDATE)
        script.flush()
        command = ["pgbench", "-n", "-c", "32", "-j", "2", "-T", str(SECONDS), "-f", script.name]
        command += ["-h", parts.hostname or "127.0.0.1", "-p", str(parts.port or 5432), "-U", parts.username or ""]
        environment = {**os.environ, "PGPASSWORD": parts.password or ""}
        done = subprocess.run([*command, parts.path[1:]], env=environment, check=True, capture_output=True)
    found = re.search(rb"tps = ([\d.]+) \(without", done.stdout)
    assert found, done.stdout
    return float(found[1])


if __name__ == "__main__":
    main()
