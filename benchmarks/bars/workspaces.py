"""Bars 1, 2 and 15: making workspaces and their schemas, among few and among many."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

import django
from django.core.management import call_command
from django.db import connection

from benchmarks.bars import tell
from benchmarks.load import Request, requests_per_second
from benchmarks.measure import alternate, seconds
from benchmarks.report import Result
from benchmarks.servers import granian, serving

FEW = 20
MANY = int(os.environ.get("BENCH_WORKSPACES", "3000"))
SAMPLES = 15
PORT = 21505


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=FEW + 2 * SAMPLES)
    place = platform.make_place()
    platform.publish_loan_schedule(place)
    rates_few = _request_rates(place.key)
    few = _creation_seconds()
    stock_few = _stock_seconds()
    _tell_creation("at 20 schemas", few, stock_few)
    _tell_slot()
    call_command("bootstrap", slots=MANY, verbosity=0)
    many = _creation_seconds()
    stock_many = _stock_seconds(samples=3)
    _tell_creation(f"at {MANY:,} schemas", many, stock_many)
    _tell_growth(rates_few, _request_rates(place.key))
    growth = many / few
    tell(
        Result(
            bar="1, 15",
            what=f"create a workspace: {MANY:,} schemas against {FEW}",
            ours=f"{many * 1000:.1f} ms",
            reference=f"{few * 1000:.1f} ms",
            ratio=growth,
            wanted="≤ 1.3",
            holds=growth <= 1.3,
        )
    )


def _request_rates(key: str) -> dict[str, float]:
    """Requests a second of the real server: a published page, an API read by key, and a use of one hot quota."""
    command = granian("config.wsgi:application", PORT)
    environment = {"DATABASE_URL": os.environ["DATABASE_URL"]}
    authorization = ("Authorization", f"Api-Key {key}")
    sent = (authorization, ("Content-Type", "application/json"))
    use = json.dumps({"idempotency_key": "bench-########", "dimension": "ai.tokens", "amount": 1}).encode()
    asked = {
        "published page": Request(PORT, "/runtime/bench/loan"),
        "API read": Request(PORT, "/api/v1/workspaces/bench/apps/loan", (authorization,)),
        "consume": Request(PORT, "/api/v1/billing/workspaces/bench/consume", sent, "POST", use),
    }
    with serving(command, port=PORT, environment=environment, ready_path="/healthz"):
        return {
            what: statistics.median(requests_per_second(request) for _ in range(5)) for what, request in asked.items()
        }


def _tell_growth(few: dict[str, float], many: dict[str, float]) -> None:
    for what, rate in many.items():
        growth = few[what] / rate
        tell(
            Result(
                bar="15",
                what=f"{what}: time among {MANY:,} schemas against {FEW}",
                ours=f"{rate:,.0f}/s",
                reference=f"{few[what]:,.0f}/s",
                ratio=growth,
                wanted="≤ 1.3",
                holds=growth <= 1.3,
            )
        )


def _creation_seconds() -> float:
    """The median time of the service call, seconds."""
    from django.utils import timezone

    from apps.accounts.models import User
    from apps.common.actors import SYSTEM
    from apps.workspaces.services.creation import create_workspace

    owner = User.objects.create_user(email=f"{uuid4().hex}@example.com")

    def create() -> None:
        made = create_workspace(
            owner=owner, name="Bench", slug=f"b{uuid4().hex[:20]}", actor=SYSTEM, now=timezone.now()
        )
        if made.status != "active":
            raise RuntimeError("The pool is empty: this would measure something else.")

    create()
    return statistics.median(seconds(create) for _ in range(SAMPLES))


def _stock_seconds(samples: int = 5) -> float:
    """The median time in which stock django-tenants makes and migrates a schema with the same tables, seconds."""
    from benchmarks.references.stock_migration import migrate_schema

    def create() -> None:
        name = f"stock_{uuid4().hex}"
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE SCHEMA "{name}"')
        migrate_schema(name)

    create()
    return statistics.median(seconds(create) for _ in range(samples))


def _tell_creation(where: str, ours: float, stock: float) -> None:
    factor = stock / ours
    tell(
        Result(
            bar="1",
            what=f"create a workspace, {where}, against stock migrate_schemas",
            ours=f"{ours * 1000:.1f} ms",
            reference=f"{stock * 1000:,.0f} ms",
            ratio=factor,
            wanted="≥ 150",
            holds=factor >= 150,
        )
    )


def _tell_slot() -> None:
    from apps.common.schema_ddl import create_schema, schema_template

    template = schema_template()

    def ours() -> float:
        return seconds(lambda: create_schema(f"ws_{uuid4().hex}"))

    def psql() -> float:
        name = f"ws_{uuid4().hex}"
        script = (
            f'BEGIN; CREATE SCHEMA "{name}"; SET LOCAL search_path TO "{name}", public;\n{template.script}\nCOMMIT;'
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "schema.sql"
            path.write_text(script, encoding="utf-8")
            return seconds(lambda: _psql(path)) - connect

    connect = statistics.median(seconds(lambda: _psql(None)) for _ in range(5))
    compared = alternate(ours, psql, rounds=9)
    tables, indexes = (
        template.script.count("CREATE TABLE"),
        template.script.count("INDEX") + template.script.count("UNIQUE"),
    )
    tell(
        Result(
            bar="2",
            what=f"make one schema ({tables} tables, {indexes} indexes and unique constraints), against psql",
            ours=f"{compared.ours * 1000:.0f} ms",
            reference=f"{compared.reference * 1000:.0f} ms",
            ratio=compared.ratio,
            wanted="≤ 1.3",
            holds=compared.ratio <= 1.3,
        )
    )


def _psql(script: Path | None) -> None:
    arguments = ["-f", str(script)] if script else ["-c", "SELECT 1"]
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", os.environ["DATABASE_URL"], *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
