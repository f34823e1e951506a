"""Putting one database into another's place on its server: fence, two renames in one transaction.

The server's own catalog is the truth about how far a swap has come, whoever died in between:

- before: ``live`` and ``fresh`` exist, and ``live`` is perhaps fenced;
- after: ``live`` is what was ``fresh``, and ``kept`` exists.

There is nothing between the two, for renames are transactional in PostgreSQL. ``fresh`` and ``kept`` are names that
one operation alone uses, so a late repeat finds one of them missing or taken and changes nothing.

Every function takes a superuser's connection in autocommit mode to a database of the same server that is none of
these.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from apps.databases.errors import FenceLifted, SessionsRemain, SwapImpossible

#: Between two looks whether the sessions of a fenced database are gone, seconds.
_LOOK = 0.002
#: How long a rename may wait for sessions at first, milliseconds. PostgreSQL looks for them ten times a second only
#: (CountOtherDBBackends); a rename that is given up and tried again finds out earlier that they are gone.
_FIRST_PATIENCE = 10
_LONGEST_PATIENCE = 320


@dataclass(frozen=True, slots=True)
class Swap:
    """The names of a swap: ``live`` is replaced by ``fresh``, and called ``kept`` from then on."""

    live: str
    fresh: str
    kept: str


def database_exists(server: psycopg.Connection[Any], name: str) -> bool:
    """Whether the server has a database of this name."""
    return server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def is_swapped(server: psycopg.Connection[Any], swap: Swap) -> bool:
    """Whether the renames were committed. Raises SwapImpossible when the catalog fits neither before nor after."""
    query = "SELECT datname FROM pg_database WHERE datname IN (%s, %s, %s)"
    present = {row[0] for row in server.execute(query, [swap.live, swap.fresh, swap.kept])}
    if present == {swap.live, swap.kept}:
        return True
    if present == {swap.live, swap.fresh}:
        return False
    raise SwapImpossible(f"Of {swap.live}, {swap.fresh} and {swap.kept} there are: {', '.join(sorted(present))}.")


def fence(server: psycopg.Connection[Any], swap: Swap) -> None:
    """Let nobody into ``live`` (and ``fresh``) any more. Sessions that are there stay; see ``end_sessions``.

    Both in one transaction: once ``fresh`` is dropped or has become ``live``, a late worker can't fence any more.
    Raises SwapImpossible then.
    """
    try:
        with server.transaction():
            for name in (swap.live, swap.fresh):
                server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    except (errors.InvalidCatalogName, errors.InternalError_) as error:
        # InternalError: "tuple concurrently updated", another one renames or drops it at this moment.
        raise SwapImpossible(f"The databases changed while {swap.live} was being fenced.") from error


def lift_fence(server: psycopg.Connection[Any], name: str) -> bool:
    """Let clients into the database again; whether it was fenced. Nothing when it isn't there. Safe to repeat."""
    row = server.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [name]).fetchone()
    if row is None or row[0]:
        return False
    server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
    return True


def end_sessions(server: psycopg.Connection[Any], names: list[str], *, seconds: float) -> int:
    """End every session of these databases, and wait until they are gone; returns how many there were.

    What a session had committed stays, what it was about to commit is undone. Raises SessionsRemain when some are
    still there after that time.
    """
    ended: set[int] = set()
    give_up_at = time.monotonic() + seconds
    while True:
        rows = server.execute(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)", [names]
        ).fetchall()
        ended |= {row[0] for row in rows}
        if not rows:
            return len(ended)
        if time.monotonic() > give_up_at:
            raise SessionsRemain(f"{len(rows)} sessions of the database don't end.")
        time.sleep(_LOOK)


def exchange(server: psycopg.Connection[Any], swap: Swap, *, connection_limit: int, seconds: float) -> None:
    """Rename ``live`` to ``kept`` and ``fresh`` to ``live``, in one transaction that also lets clients in again.

    ``live`` gets the ``connection_limit``; ``kept`` stays fenced. When it raises nothing has changed: FenceLifted,
    SessionsRemain (sessions are in the way for so many ``seconds``), SwapImpossible (a database is gone or new).
    """
    patience = _FIRST_PATIENCE
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            _rename_both(server, swap, connection_limit=connection_limit, patience=patience)
            return
        except (errors.QueryCanceled, errors.ObjectInUse) as error:
            if time.monotonic() > give_up_at:
                raise SessionsRemain("Sessions of the database are in the way of its renaming.") from error
            patience = min(2 * patience, _LONGEST_PATIENCE)
            end_sessions(server, [swap.live, swap.fresh], seconds=seconds)
        except (errors.InvalidCatalogName, errors.DuplicateDatabase, errors.InternalError_) as error:
            raise SwapImpossible(f"The databases changed while {swap.live} was being swapped.") from error


def _rename_both(server: psycopg.Connection[Any], swap: Swap, *, connection_limit: int, patience: int) -> None:
    live, fresh, kept = (sql.Identifier(name) for name in (swap.live, swap.fresh, swap.kept))
    with server.transaction():
        server.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(patience)))
        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(live, kept))
        # Seen under the lock that the rename took: nobody has come in since the sessions were ended.
        row = server.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [swap.kept]).fetchone()
        if row is None or row[0]:
            raise FenceLifted
        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(fresh, live))
        server.execute(
            sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT {}").format(
                live, sql.Literal(connection_limit)
            )
        )
        server.execute(sql.SQL("SET LOCAL statement_timeout = 0"))
