"""The logins that dumps are loaded with, each for one attempt on a workspace's server.

A loader can do nothing but become the owner of the workspace's tables (see ``pg_restore``). But a function in the dump
may ``RESET ROLE`` to it, and the owner may let it make things: what it came to own, and what was granted to it,
anywhere, is in the way of dropping it. ``server`` is a superuser's connection in autocommit mode to another database of
the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from apps.databases.clients.postgres import change_catalog, make_verifier
from apps.databases.clients.restore_target import limit_connections
from apps.databases.clients.roles import databases_naming, shut_logins

Server = psycopg.Connection[Any]

#: pg_restore's leader, its workers, and one of them coming back.
_SPARE = 2


@dataclass(frozen=True, slots=True)
class LoaderTerms:
    """Whom a loader may become, and who inherits what it owns: ``owner``. ``enter`` opens a superuser's connection to
    the database of this name; sessions have so many ``seconds`` to end."""

    owner: str
    enter: Callable[[str], AbstractContextManager[Server]]
    seconds: float


@contextmanager
def loader_login(server: Server, *, name: str, database: str, jobs: int, terms: LoaderTerms) -> Iterator[str]:
    """A login that may enter ``database`` and become the owner there, for as long as the block runs; its password.

    Meanwhile the owner may make schemas and trusted extensions in the database. At the end the login's sessions are
    ended, whatever they run, and what it owns is the owner's. Raises SessionsRemain when they don't end. One that was
    left behind by a worker that died is dropped by ``drop_loaders``.
    """
    password = secrets.token_urlsafe(24)
    verifier = make_verifier(server, login=name, password=password)
    login, role, target = sql.Identifier(name), sql.Identifier(terms.owner), sql.Identifier(database)
    server.execute(
        sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {} IN ROLE {}").format(login, sql.Literal(verifier), role)
    )
    try:
        change_catalog(server, sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(target, login))
        change_catalog(server, sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(target, role))
        limit_connections(server, database, jobs + _SPARE)
        yield password
    finally:
        limit_connections(server, database, 0)
        change_catalog(server, sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(target, role))
        _drop_login(server, name, terms)


def drop_loaders(server: Server, *, stem: str, terms: LoaderTerms) -> None:
    """Drop the logins whose names begin so, with their sessions; what they own is the owner's. Raises
    SessionsRemain."""
    found = server.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s)", [stem])
    for (name,) in found.fetchall():
        _drop_login(server, name, terms)


def _drop_login(server: Server, name: str, terms: LoaderTerms) -> None:
    if server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        return  # another worker has cleared away after us
    login = sql.Identifier(name)

    def close() -> None:
        server.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(login))

    shut_logins(server, [name], close=close, seconds=terms.seconds)
    # Here, and on databases as such; then wherever else it is named.
    _release(server, login, terms)
    for database in databases_naming(server, name):
        with terms.enter(database) as inside:
            _release(inside, login, terms)
    change_catalog(server, sql.SQL("DROP ROLE {}").format(login))


def _release(inside: Server, login: sql.Identifier, terms: LoaderTerms) -> None:
    """Give the owner what the login has made here, and take back what was granted to it."""
    change_catalog(inside, sql.SQL("REASSIGN OWNED BY {} TO {}").format(login, sql.Identifier(terms.owner)))
    change_catalog(inside, sql.SQL("DROP OWNED BY {}").format(login))
