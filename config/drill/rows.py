"""What is compared before and after: every row of a database, as counts and hashes per table."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from .errors import DrillFailed, require
from .place import Cluster

WRITES = "drill_writes"
TABLES = """
SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> %s ORDER BY 1
"""
SECONDS_BETWEEN_WRITES = 0.02

Hashes = dict[str, tuple[int, str]]


def hash_rows(connection: psycopg.Connection[Any]) -> Hashes:
    """Each table with its number of rows and a hash over all of them, whatever their order."""
    hashes: Hashes = {}
    for (table,) in connection.execute(TABLES, [WRITES]).fetchall():
        row = connection.execute(
            sql.SQL("SELECT count(*), md5(coalesce(string_agg(h, '' ORDER BY h), '')) FROM ({}) AS rows").format(
                sql.SQL("SELECT md5(t::text) AS h FROM {} AS t").format(sql.SQL(table))
            )
        ).fetchone()
        assert row
        hashes[table] = (row[0], row[1])
    return hashes


def compare(before: Hashes, after: Hashes) -> int:
    """The number of rows that are equal. Raises DrillFailed naming the first tables that differ."""
    gone = sorted(before.keys() - after.keys())
    require(not gone, f"{len(gone)} tables are gone: {', '.join(gone[:3])}")
    more = sorted(after.keys() - before.keys())
    require(not more, f"{len(more)} tables weren't there before: {', '.join(more[:3])}")
    other = sorted(table for table in before if before[table] != after[table])
    require(not other, f"{len(other)} tables have other rows: {', '.join(other[:3])}")
    return sum(count for count, _ in before.values())


@dataclass
class Writer:
    """Commits a numbered row every 20 ms until it is stopped or the server dies; remembers what was acknowledged."""

    cluster: Cluster
    acknowledged: list[tuple[int, datetime]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to write in a thread of its own."""
        with self.cluster.connect() as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS public.{WRITES} (n bigint PRIMARY KEY, at timestamptz NOT NULL)"
            )
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._stop.set()
        if self._thread:
            self._thread.join(10)

    def wait_for(self, count: int, *, seconds: float = 20.0) -> None:
        """Returns when so many rows were acknowledged. Raises DrillFailed."""
        give_up_at = time.monotonic() + seconds
        while len(self.acknowledged) < count:
            if time.monotonic() > give_up_at:
                raise DrillFailed(f"only {len(self.acknowledged)} of {count} writes were acknowledged")
            time.sleep(0.02)

    def _write(self) -> None:
        try:
            with self.cluster.connect() as connection:
                while not self._stop.wait(SECONDS_BETWEEN_WRITES):
                    row = connection.execute(
                        f"INSERT INTO public.{WRITES} SELECT coalesce(max(n), 0) + 1, clock_timestamp()"  # noqa: S608
                        f" FROM public.{WRITES} RETURNING n, at"
                    ).fetchone()
                    assert row
                    self.acknowledged.append((row[0], row[1]))
        except psycopg.OperationalError:
            return  # the server died, as it was meant to


def read_writes(cluster: Cluster) -> list[tuple[int, datetime]]:
    """The writer's rows that are there."""
    with cluster.connect() as connection:
        return connection.execute(f"SELECT n, at FROM public.{WRITES} ORDER BY n").fetchall()  # noqa: S608


def require_whole_prefix(survivors: list[tuple[int, datetime]], acknowledged: list[tuple[int, datetime]]) -> None:
    """What survived is what was written first, without a hole. Raises DrillFailed."""
    require(bool(survivors), "no write survived")
    require([n for n, _ in survivors] == list(range(1, len(survivors) + 1)), "there is a hole in what survived")
    newest = survivors[-1][0]
    require(set(survivors) >= {row for row in acknowledged if row[0] <= newest}, "rows survived with other values")


def require_all_before(
    survivors: list[tuple[int, datetime]], acknowledged: list[tuple[int, datetime]], at: datetime
) -> None:
    """Every write acknowledged before the moment is there, and none that was begun after it. Raises DrillFailed."""
    require_whole_prefix(survivors, acknowledged)
    lost = {row for row in acknowledged if row[1] < at} - set(survivors)
    # The last one may have been begun before the moment and committed after it.
    require(len(lost) <= 1, f"{len(lost)} rows from before the moment are gone")
    late = [row for row in survivors if row[1] > at]
    require(not late, f"{len(late)} rows from after the moment are there")
