"""The roles of a workspace's database and what they may, on a real server. Everything here is safe to repeat.

============  =======  ==================================================================================
the platform  login    a superuser of the server; owns the database
``*_ddl``     nologin  owns the schema ``app`` and what migrations make in it
``*_app``     nologin  SELECT, INSERT, UPDATE, DELETE, TRUNCATE in ``app``, also on what ``*_ddl`` makes later
``*_ro``      nologin  SELECT in ``app``, likewise
``*_a, *_b``  login    members of ``*_app`` and ``*_ro``; can hand on nothing; one of them is published
============  =======  ==================================================================================

``server`` is a superuser's connection in autocommit mode to any database, ``inside`` one to the workspace's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import errors, sql

from apps.databases.errors import SessionsRemain
from apps.databases.models import WorkspaceDatabase

#: The schema of a workspace's tables.
SCHEMA = "app"

#: Between two looks whether sessions are gone, seconds.
_LOOK = 0.01

Server = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class RoleNames:
    """The names of a workspace database's roles."""

    ddl: str
    app: str
    read: str
    a: str
    b: str

    @classmethod
    def of(cls, database: WorkspaceDatabase) -> RoleNames:
        return cls(
            ddl=database.ddl_role,
            app=database.app_role,
            read=database.read_role,
            a=database.login("a"),
            b=database.login("b"),
        )

    @property
    def logins(self) -> tuple[str, str]:
        return self.a, self.b

    @property
    def all(self) -> tuple[str, ...]:
        """Logins first: the order in which they can be dropped."""
        return self.a, self.b, self.app, self.read, self.ddl


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a workspace's sessions. Connections are those of one login; a rotation has two for a while."""

    connections: int
    statement: timedelta
    idle_in_transaction: timedelta
    temp_file_bytes: int

    @property
    def database_connections(self) -> int:
        return 2 * self.connections

    def as_settings(self) -> Mapping[str, str]:
        """The settings of every session in the database, by name.

        A session can change the time-outs for itself (they are everybody's to set in PostgreSQL); the killer of long
        statements stands outside. ``temp_file_limit`` is a superuser's to change.
        """
        return {
            "search_path": SCHEMA,
            "statement_timeout": _milliseconds(self.statement),
            "idle_in_transaction_session_timeout": _milliseconds(self.idle_in_transaction),
            "temp_file_limit": f"{self.temp_file_bytes // 1024}kB",
        }


def ensure_roles(server: Server, roles: RoleNames, limits: Limits) -> None:
    """Make the roles that are missing, and set what each of them is to what it must be. Passwords stay as they are."""
    plain = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    with server.transaction():
        for name in (roles.ddl, roles.app, roles.read):
            _ensure_role(server, name, f"NOLOGIN INHERIT {plain}")
        for name in roles.logins:
            _ensure_role(server, name, f"INHERIT {plain} CONNECTION LIMIT {limits.connections}")
            for group in (roles.app, roles.read):
                _run(server, "GRANT {} TO {}", group, name)
                _run(server, "REVOKE ADMIN OPTION FOR {} FROM {}", group, name)


def allow_logins(server: Server, roles: RoleNames, *, allowed: bool) -> None:
    """Whether the logins may log in at all. Sessions that are open go on; see ``end_sessions``."""
    for name in roles.logins:
        server.execute(sql.SQL("ALTER ROLE {} " + ("LOGIN" if allowed else "NOLOGIN")).format(sql.Identifier(name)))


def set_verifier(server: Server, login: str, verifier: str | None) -> None:
    """Give a login this password verifier; None takes its password away, so that nobody gets in with it."""
    server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier)))


def limit_login(server: Server, login: str, connections: int) -> None:
    """How many sessions the login may have; none keeps it out, and unlike its password it can't change that itself."""
    server.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(sql.Identifier(login), sql.Literal(connections)))


def open_database(server: Server, name: str, roles: RoleNames, limits: Limits) -> None:
    """Let the workspace's logins, and nobody else but superusers, into the database ``name``, with its limits."""
    database = sql.Identifier(name)
    with server.transaction():
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        for group in (roles.app, roles.read):
            server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, sql.Identifier(group)))
            server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(group)))
        server.execute(
            sql.SQL("ALTER DATABASE {} WITH CONNECTION LIMIT {}").format(
                database, sql.Literal(limits.database_connections)
            )
        )
        reset_settings(server, name, roles, limits)


def reset_settings(server: Server, name: str, roles: RoleNames, limits: Limits) -> None:
    """The settings of the logins' sessions; whatever a login set for itself is forgotten."""
    database = sql.Identifier(name)
    for role in roles.logins:
        target = sql.Identifier(role)
        server.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(target))
        server.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(target, database))
        for setting, value in limits.as_settings().items():
            server.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} TO {}").format(
                    target, database, sql.SQL(setting), sql.Literal(value)
                )
            )


def changed_settings(server: Server, databases: Mapping[str, str], limits: Limits) -> set[str]:
    """Those of these logins (each with the name of its live database) that have given themselves other settings than
    ``reset_settings`` gives them."""
    ours = {f"{setting}={value}" for setting, value in limits.as_settings().items()}
    rows = server.execute(
        "SELECT rolname::text, datname::text, setconfig FROM pg_db_role_setting"
        " JOIN pg_roles ON pg_roles.oid = setrole LEFT JOIN pg_database ON pg_database.oid = setdatabase"
        " WHERE rolname = ANY(%s)",
        [list(databases)],
    )
    # Without a database they hold everywhere; in another one (a kept one) they are none of ours.
    return {login for login, name, config in rows if name is None or (name == databases[login] and set(config) != ours)}


def establish_schema(inside: Server, roles: RoleNames, *, writes: bool = True) -> None:
    """The schema ``app`` and the rights in it, in a database that is new or was just restored.

    With ``writes=False`` (over the limit) INSERT and UPDATE are not granted.
    """
    schema, ddl = sql.Identifier(SCHEMA), sql.Identifier(roles.ddl)
    with inside.transaction():
        inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        inside.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, ddl))
        inside.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(schema, ddl))
        inside.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema))
        for group in (roles.app, roles.read):
            inside.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, sql.Identifier(group)))
        _default_functions(inside, ddl)
        _take_back_escapes(inside, roles)
        grant_reading(inside, roles)
        grant_changing(inside, roles, writes=writes)


def grant_reading(inside: Server, roles: RoleNames) -> None:
    """SELECT, and calling functions, on all that is in ``app`` and that ``*_ddl`` makes later."""
    ddl, schema = sql.Identifier(roles.ddl), sql.Identifier(SCHEMA)
    for group in map(sql.Identifier, (roles.app, roles.read)):
        for privilege, kind in (("SELECT", "TABLES"), ("SELECT", "SEQUENCES"), ("EXECUTE", "FUNCTIONS")):
            _grant_all(inside, f"GRANT {privilege} ON", kind, "TO", ddl=ddl, schema=schema, group=group)


def grant_changing(inside: Server, roles: RoleNames, *, writes: bool) -> None:
    """INSERT and UPDATE for ``*_app``, now and on what ``*_ddl`` makes later, or (``writes=False``) neither of them.

    DELETE and TRUNCATE stay in any case: whoever is over the limit can come below it again. It counts at once, in
    open sessions too.
    """
    ddl, schema, group = sql.Identifier(roles.ddl), sql.Identifier(SCHEMA), sql.Identifier(roles.app)
    verb, link = ("GRANT", "TO") if writes else ("REVOKE", "FROM")
    _grant_all(inside, "GRANT DELETE, TRUNCATE ON", "TABLES", "TO", ddl=ddl, schema=schema, group=group)
    _grant_all(inside, f"{verb} INSERT, UPDATE ON", "TABLES", link, ddl=ddl, schema=schema, group=group)
    _grant_all(inside, f"{verb} USAGE, UPDATE ON", "SEQUENCES", link, ddl=ddl, schema=schema, group=group)


def revoke_everywhere(inside: Server, roles: RoleNames, tables: str, sequences: str) -> None:
    """Take these rights on all tables and all sequences, whatever their schema, from everybody but their owner, with
    what was handed on: migrations may have granted them to everybody, to logins, with the right to grant them."""
    whom = sql.SQL(", ").join([sql.SQL("PUBLIC"), *map(sql.Identifier, (roles.app, roles.read, *roles.logins))])
    found = inside.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    )
    for (name,) in found.fetchall():
        for rights, kind in ((tables, "TABLES"), (sequences, "SEQUENCES")):
            statement = sql.SQL("REVOKE " + rights + " ON ALL " + kind + " IN SCHEMA {} FROM {} CASCADE")
            inside.execute(statement.format(sql.Identifier(name), whom))


def login_sessions(server: Server, login: str) -> list[dict[str, Any]]:
    """Who is logged in with ``login`` now: application name, address, since when (ISO 8601), oldest first."""
    rows = server.execute(
        "SELECT application_name, host(client_addr), backend_start FROM pg_stat_activity"
        " WHERE usename = %s ORDER BY backend_start",
        [login],
    )
    return [
        {"application": application, "address": address or "", "since": since.isoformat()}
        for application, address, since in rows
    ]


def end_login_sessions(server: Server, logins: list[str]) -> int:
    """End every session of these logins, in whatever database; returns how many there were."""
    return len(
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)", [logins]
        ).fetchall()
    )


def shut_logins(server: Server, logins: list[str], *, close: Callable[[], None], seconds: float) -> int:
    """End all sessions of these logins and wait until they are gone; returns how many there were.

    ``close`` lets no new ones in, by what a login can't change of itself. It is tried again while sessions are in its
    way: one that alters its own role all the time makes PostgreSQL refuse others' changes ("tuple concurrently
    updated"). Raises SessionsRemain when they don't end in so many ``seconds``.
    """
    ended = 0
    closed = False
    give_up_at = time.monotonic() + seconds
    while True:
        if not closed:
            with contextlib.suppress(errors.InternalError_):
                close()
                closed = True
        found = end_login_sessions(server, logins)
        ended += found
        if closed and not found:
            return ended
        if time.monotonic() > give_up_at:
            raise SessionsRemain("Sessions of logins that are shut out don't end.")
        time.sleep(_LOOK)


def databases_naming(server: Server, prefix: str) -> list[str]:
    """The databases in which something was granted to roles whose names begin so (or belongs to them)."""
    rows = server.execute(
        "SELECT DISTINCT datname::text FROM pg_shdepend"
        " JOIN pg_roles ON refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid"
        " JOIN pg_database ON pg_database.oid = dbid WHERE starts_with(rolname::text, %s) ORDER BY 1",
        [prefix],
    )
    return [row[0] for row in rows]


def forget_roles(inside: Server, prefix: str) -> None:
    """Take back, in this database, what was granted to roles whose names begin so.

    Whoever may make tables in one workspace's database can name another's roles there, which couldn't be dropped then.
    """
    for (name,) in inside.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, %s)", [prefix]):
        inside.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))


def drop_roles(server: Server, roles: RoleNames) -> None:
    """Drop the roles that are there. Their databases must be gone before, and no other one may name them; see
    ``forget_roles``. Safe to repeat."""
    end_login_sessions(server, list(roles.logins))
    for name in roles.all:
        server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def _ensure_role(server: Server, name: str, attributes: str) -> None:
    role = sql.Identifier(name)
    if server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        # another worker whose lease ran out may be doing the same
        try:
            with server.transaction():
                server.execute(sql.SQL("CREATE ROLE {}").format(role))
        except (errors.DuplicateObject, errors.UniqueViolation):
            pass
    server.execute(sql.SQL("ALTER ROLE {} WITH {}").format(role, sql.SQL(attributes)))


def _take_back_escapes(inside: Server, roles: RoleNames) -> None:
    """What no migration may make (see ``applied.find_escapes``), but a function that is run while a dump is loaded can:
    functions that act with their owner's rights, rules, the right to make things in schemas."""
    functions = inside.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner"
        " WHERE p.prosecdef AND NOT r.rolsuper"
    )
    for (name,) in functions.fetchall():  # quoted by PostgreSQL, with its schema and its types
        inside.execute(sql.SQL("ALTER ROUTINE {} SECURITY INVOKER").format(sql.SQL(name)))
    rules = inside.execute(
        "SELECT w.rulename::text, n.nspname::text, c.relname::text FROM pg_rewrite w"
        " JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_roles r ON r.oid = c.relowner WHERE w.ev_type <> '1' AND NOT r.rolsuper"
    )
    for rule, schema, table in rules.fetchall():
        inside.execute(sql.SQL("DROP RULE {} ON {}").format(sql.Identifier(rule), sql.Identifier(schema, table)))
    whom = sql.SQL(", ").join([sql.SQL("PUBLIC"), *map(sql.Identifier, (roles.app, roles.read, *roles.logins))])
    schemas = inside.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    )
    for (name,) in schemas.fetchall():
        inside.execute(sql.SQL("REVOKE CREATE ON SCHEMA {} FROM {} CASCADE").format(sql.Identifier(name), whom))


def _default_functions(inside: Server, ddl: sql.Identifier) -> None:
    """PostgreSQL lets everybody call new functions; here those may that the grants name."""
    inside.execute(sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC").format(ddl))


def _grant_all(
    inside: Server,
    act: str,
    kind: str,
    link: str,
    *,
    ddl: sql.Identifier,
    schema: sql.Identifier,
    group: sql.Identifier,
) -> None:
    head, tail = sql.SQL(act), sql.SQL(link)
    inside.execute(sql.SQL("{} ALL " + kind + " IN SCHEMA {} {} {}").format(head, schema, tail, group))
    inside.execute(
        sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} {} " + kind + " {} {}").format(
            ddl, schema, head, tail, group
        )
    )


def _run(server: Server, statement: str, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _milliseconds(timeout: timedelta) -> str:
    return f"{round(timeout.total_seconds() * 1000)}ms"
