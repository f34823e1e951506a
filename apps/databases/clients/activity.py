"""What workspaces' sessions are doing on a server, and ending what takes too long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

#: The names of roles that workspaces' statements run under: applications' logins, the owner while migrations run, and
#: the logins that load dumps for restores (``l``) and proofs (``p``).
_LOGINS = "^wd_[0-9a-f]{32}_(a|b|ddl|[lp][0-9a-f]{12}_[0-9]+)$"
_LOADERS = "_[lp][0-9a-f]{12}_[0-9]+$"

_TOO_LONG = """
SELECT pid, usename::text, datname::text, why, seconds,
       CASE WHEN why = 'statement' AND NOT insist THEN pg_cancel_backend(pid) ELSE pg_terminate_backend(pid) END,
       left(query, 200)
FROM (
    SELECT pid, usename, datname, query,
           CASE WHEN loads AND there > %(load)s + %(insist)s THEN 'load'
                WHEN NOT loads AND state = 'active' AND running > allowed THEN 'statement'
                WHEN state LIKE 'idle in transaction%%' AND idle > %(idle)s THEN 'idle_in_transaction'
                WHEN open > %(transaction)s AND usename ~ '_[ab]$' THEN 'transaction' END AS why,
           extract(epoch FROM CASE WHEN loads AND there > %(load)s + %(insist)s THEN there
                WHEN state = 'active' AND running > allowed THEN running
                WHEN state LIKE 'idle in transaction%%' AND idle > %(idle)s THEN idle ELSE open END)::int AS seconds,
           running > allowed + %(insist)s AS insist
    FROM (
        SELECT pid, usename, datname, query, state,
               clock_timestamp() - query_start AS running,
               clock_timestamp() - state_change AS idle,
               clock_timestamp() - xact_start AS open,
               clock_timestamp() - backend_start AS there,
               usename ~ %(loaders)s AS loads,
               CASE WHEN usename LIKE '%%\\_ddl' THEN %(migration)s ELSE %(statement)s END AS allowed
        FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND usename ~ %(logins)s
    ) AS session
) AS judged
WHERE why IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a workspace's sessions may take for a statement (another time for one of a migration), sit idle in a
    transaction, and keep a transaction open (applications' logins); and how long those that load a dump may be there
    at all, whatever they run. ``insist`` after a statement was canceled, or a load should have been ended by its
    worker, the session is ended."""

    statement: timedelta
    migration: timedelta
    load: timedelta
    idle: timedelta
    transaction: timedelta
    insist: timedelta


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was interrupted: ``why`` is ``statement``, ``idle_in_transaction``, ``transaction`` or
    ``load``."""

    login: str
    database: str
    why: str
    seconds: int
    statement: str


def end_what_takes_too_long(server: psycopg.Connection[Any], patience: Patience) -> list[Ended]:
    """Cancel the statements and end the sessions that exceed it; by the server's clock, in one query.

    Neither asks the session: what it set for itself (``statement_timeout = 0``) doesn't matter.
    """
    rows = server.execute(
        _TOO_LONG,
        {
            "logins": _LOGINS,
            "loaders": _LOADERS,
            "statement": patience.statement,
            "migration": patience.migration,
            "load": patience.load,
            "idle": patience.idle,
            "transaction": patience.transaction,
            "insist": patience.insist,
        },
    )
    return [
        Ended(login=login, database=database, why=why, seconds=seconds, statement=statement)
        for _, login, database, why, seconds, ended, statement in rows
        if ended
    ]
