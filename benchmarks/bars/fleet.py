"""Bar 3: one added column in every workspace's schema.

The same schemas are made with ``benchmarks/fleet/before`` and migrated to ``benchmarks/fleet/after``: some by stock
django-tenants, some by plain SQL in a transaction each, and then all of them by ``manage.py migrate_workspaces``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import psycopg

from benchmarks.bars import tell
from benchmarks.measure import seconds
from benchmarks.report import Result

FLEET = int(os.environ.get("BENCH_FLEET_SIZE", "1000"))
STOCK_SAMPLE = 5
PLAIN_SAMPLE = 200
COLUMN = "ALTER TABLE fleet_vessel ADD COLUMN port varchar(60) NULL"


def main() -> None:
    _manage("before", "migrate_schemas", "--shared", "--verbosity", "0")
    _manage("before", "bootstrap", "--slots", str(FLEET + STOCK_SAMPLE), "--verbosity", "0")
    schemas = _schemas()
    stock = statistics.median(_stock_seconds(schemas[:STOCK_SAMPLE]))
    plain = _plain_seconds(schemas[STOCK_SAMPLE : STOCK_SAMPLE + PLAIN_SAMPLE])
    start = min(seconds(lambda: _manage("before", "migrate_workspaces", "--plan")) for _ in range(2))
    whole = seconds(lambda: _manage("after", "migrate_workspaces", "--verbosity", "0"))
    each = (whole - start) / (FLEET + STOCK_SAMPLE)
    _require_all()
    for name, other, wanted in (("stock migrate_schemas", stock, 100.0), ("plain SQL, a transaction each", plain, 0.0)):
        factor = other / each
        tell(
            Result(
                bar="3",
                what=f"add a column in {FLEET:,} schemas, against {name}",
                ours=f"{1 / each:,.0f} schemas/s",
                reference=f"{1 / other:,.1f} schemas/s",
                ratio=factor,
                wanted=f"≥ {wanted:g}" if wanted else "(for comparison)",
                holds=factor >= wanted,
            )
        )


def _manage(state: str, *arguments: str) -> None:
    environment = {**os.environ, "BENCH_FLEET": state}
    subprocess.run([sys.executable, "manage.py", *arguments], env=environment, check=True, stdout=sys.stderr)


def _schemas() -> list[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT schema_name FROM workspaces_schemaslot ORDER BY schema_name").fetchall()
    return [row[0] for row in rows]


def _stock_seconds(schemas: list[str]) -> list[float]:
    """How long stock takes for each of these, in a process of its own; they are put back to where they were."""
    environment = {**os.environ, "BENCH_FLEET": "after"}
    command = [sys.executable, "-m", "benchmarks.references.stock_migration", *schemas]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for schema in schemas:
            connection.execute(f'ALTER TABLE "{schema}".fleet_vessel DROP COLUMN port')
            connection.execute(f"DELETE FROM \"{schema}\".django_migrations WHERE name = '0002_vessel_port'")
    return [float(line) for line in done.stdout.split()]


def _plain_seconds(schemas: list[str]) -> float:
    """Seconds a schema, by the shortest way that there is; undone afterwards."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:

        def migrate() -> None:
            for schema in schemas:
                with connection.transaction():
                    connection.execute(f'SET LOCAL search_path TO "{schema}"')
                    connection.execute(COLUMN)

        taken = seconds(migrate) / len(schemas)
        for schema in schemas:
            connection.execute(f'ALTER TABLE "{schema}".fleet_vessel DROP COLUMN port')
    return taken


def _require_all() -> None:
    """Every schema has the column; else the figure would be of something else."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'fleet_vessel' AND column_name = 'port'"
        ).fetchone()
    if row is None or row[0] != FLEET + STOCK_SAMPLE:
        raise RuntimeError(f"{row} of {FLEET + STOCK_SAMPLE} schemas were migrated")


if __name__ == "__main__":
    main()
