"""Bars 6 and 7: reading one app, and a page of a long list, authenticated by a key."""

from __future__ import annotations

import json
import os
import statistics
import urllib.request
from contextlib import ExitStack

import django

from benchmarks.bars import tell
from benchmarks.load import Request, requests_per_second
from benchmarks.measure import alternate, seconds
from benchmarks.places import database, own_name
from benchmarks.references import prepare_reference
from benchmarks.report import Result
from benchmarks.servers import granian, serving

LISTED = 100_000
#: On both sides: what a stock deployment pays for a new connection grows with its schemas.
SCHEMAS = int(os.environ.get("BENCH_API_SCHEMAS", "1000"))
SECRET = "bench-secret"
OURS, PLAIN, STOCK = 21510, 21511, 21512
DEEP_PAGES = 1000


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=SCHEMAS)
    place = platform.make_place()
    platform.add_apps(place, LISTED)
    server = os.environ["BENCH_SERVER"]
    with ExitStack() as stack:
        plain_url = stack.enter_context(database(server, own_name("plain")))
        stock_url = stack.enter_context(database(server, own_name("stock")))
        references = {"PLAIN_DATABASE_URL": plain_url, "STOCK_DATABASE_URL": stock_url}
        prepare_reference("plain", LISTED, SECRET, references)
        prepare_reference("stock", SCHEMAS, SECRET, references)
        ours = {"DATABASE_URL": os.environ["DATABASE_URL"]}
        stack.enter_context(
            serving(granian("config.wsgi:application", OURS), port=OURS, environment=ours, ready_path="/healthz")
        )
        for name, port in (("plain", PLAIN), ("stock", STOCK)):
            command = granian(f"benchmarks.references.{name}.wsgi:application", port)
            stack.enter_context(serving(command, port=port, environment=references, ready_path="/page"))
        _tell_read(place.key)
        _tell_list(place.key)


def _key(key: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Api-Key {key}"),)


def _tell_read(key: str) -> None:
    ours = Request(OURS, "/api/v1/workspaces/bench/apps/app-0", _key(key))
    plain = Request(PLAIN, "/apps/app-0", _key(f"bench.{SECRET}"))
    stock = Request(STOCK, "/apps/app-0", _key(f"bench.{SECRET}"))
    for name, other, wanted in (("plain DRF", plain, 0.7), ("stock django-tenants", stock, 4.0)):
        compared = alternate(lambda: requests_per_second(ours), lambda other=other: requests_per_second(other))
        tell(
            Result(
                bar="6",
                what=f"API read of one app, against {name}",
                ours=f"{compared.ours:,.0f}/s",
                reference=f"{compared.reference:,.0f}/s",
                ratio=compared.ratio,
                wanted=f"≥ {wanted:g}",
                holds=compared.ratio >= wanted,
            )
        )


def _tell_list(key: str) -> None:
    ours = Request(OURS, "/api/v1/workspaces/bench/apps?limit=50", _key(key))
    plain = Request(PLAIN, "/apps", _key(f"bench.{SECRET}"))
    compared = alternate(lambda: requests_per_second(ours), lambda: requests_per_second(plain))
    tell(
        Result(
            bar="7",
            what=f"API list of 50 among {LISTED:,}, against a plain DRF cursor page",
            ours=f"{compared.ours:,.0f}/s",
            reference=f"{compared.reference:,.0f}/s",
            ratio=compared.ratio,
            wanted="≥ 0.8",
            holds=compared.ratio >= 0.8,
        )
    )
    first = f"http://127.0.0.1:{OURS}/api/v1/workspaces/bench/apps?limit=50"
    deep = _walk(first, key, DEEP_PAGES)
    growth = statistics.median(_fetch_seconds(deep, key) for _ in range(25)) / statistics.median(
        _fetch_seconds(first, key) for _ in range(25)
    )
    tell(
        Result(
            bar="7",
            what=f"page {DEEP_PAGES:,} against page 1 (time)",
            ours="",
            reference="",
            ratio=growth,
            wanted="≤ 1.3",
            holds=growth <= 1.3,
        )
    )


def _fetch(url: str, key: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Api-Key {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        body: bytes = answer.read()
        return body


def _fetch_seconds(url: str, key: str) -> float:
    return seconds(lambda: _fetch(url, key))


def _walk(url: str, key: str, pages: int) -> str:
    """The address of the last of ``pages`` pages."""
    for _ in range(pages - 1):
        url = json.loads(_fetch(url, key))["next"]
    return url


if __name__ == "__main__":
    main()
