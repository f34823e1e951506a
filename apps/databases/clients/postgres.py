"""Reaching a PostgreSQL server: as its superuser, as a workspace's login, and for PostgreSQL's own programs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import conninfo, errors, sql

from apps.databases.errors import LoginRefused, ServerUnavailable

#: Seconds between tries to change a row of the catalog that somebody else is changing.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)

_FOR_PROGRAMS = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "TZ")

#: libpq's parameter → its environment variable (PostgreSQL 15, section 34.15).
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "gssencmode": "PGGSSENCMODE",
    "channel_binding": "PGCHANNELBINDING",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
}


@contextmanager
def open_connection(
    dsn: str, *, connect_timeout: timedelta, statement_timeout: timedelta, **parameters: Any
) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode, closed at the end. ``parameters`` (``dbname``, ``user``…) replace the DSN's.

    Names are looked up in ``pg_catalog`` alone, so that nothing a workspace has made is ever run in their stead.
    ``statement_timeout`` zero is none. Raises ServerUnavailable when the server doesn't answer, LoginRefused when it
    does and lets nobody in with this login.
    """
    milliseconds = round(statement_timeout.total_seconds() * 1000)
    parameters = {"application_name": "apprun", **parameters}
    options = f"-c search_path=pg_catalog -c statement_timeout={milliseconds} -c lock_timeout=0"
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(
            conninfo.make_conninfo(dsn, **parameters, options=options, connect_timeout=_seconds(connect_timeout)),
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        raise _explain(error) from error
    with connection:
        yield connection


def environment_of(dsn: str, *, connect_timeout: timedelta, **parameters: Any) -> dict[str, str]:
    """What libpq reads from the environment, for ``pg_dump``, ``pg_restore`` and ``psql``: nothing of it stands in
    their arguments, which everybody on the machine can read."""
    told = {"application_name": "apprun", **parameters, "connect_timeout": _seconds(connect_timeout)}
    merged = conninfo.conninfo_to_dict(conninfo.make_conninfo(dsn, **told))
    return {_VARIABLES[name]: str(value) for name, value in merged.items() if name in _VARIABLES and value is not None}


def environment_for_programs(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program of PostgreSQL needs of ours. It reads what workspaces wrote: neither the platform's secrets nor
    what libpq would take for its own are handed to it."""
    return {name: environment[name] for name in _FOR_PROGRAMS if name in environment}


def make_verifier(connection: psycopg.Connection[Any], *, login: str, password: str) -> str:
    """The SCRAM-SHA-256 verifier (RFC 5803, RFC 7677) of a password, computed here by libpq: the password itself is
    never in a statement, and so in no log of the server."""
    return connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()


def _seconds(timeout: timedelta) -> int:
    # libpq takes whole seconds; 0 would be for ever, and it makes 2 of 1
    return max(2, round(timeout.total_seconds()))


def _explain(error: psycopg.OperationalError) -> ServerUnavailable | LoginRefused:
    """libpq gives no SQLSTATE for a failed connection: a refused login is told by the server's own FATAL message."""
    said = str(error)
    if "FATAL:" in said and not any(word in said for word in ("starting up", "shutting down", "recovery mode")):
        sentence = said.rpartition("FATAL:")[2].strip().splitlines()[0]
        return LoginRefused(f"The server refused the connection: {sentence}"[:300])
    return ServerUnavailable()


def change_catalog(connection: psycopg.Connection[Any], statement: sql.SQL | sql.Composed) -> None:
    """Run a statement that changes what the whole server has rows for (a role, a database, rights on it).

    PostgreSQL refuses it when another session changes the same row at that moment ("tuple concurrently updated", an
    internal error); it is run again then, up to about two seconds. The connection is in autocommit mode.
    """
    for pause in _PAUSES:
        try:
            connection.execute(statement)
        except errors.InternalError_:
            time.sleep(pause)
        else:
            return
    connection.execute(statement)
