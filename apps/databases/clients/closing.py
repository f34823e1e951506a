"""What PostgreSQL grants to everybody, taken away: on all databases of a server, and inside a workspace's.

A workspace's login is one of many on its server. By default it could connect to every database, read the names and
settings of all others in the shared catalogs, watch their sessions, and take what the whole server shares (locks,
large objects beside its quota). The rights of catalogs and built-in functions stand in each database of its own, so
taking them away in a workspace's changes nothing anywhere else. Superusers don't ask for them.

What stays: the names in ``pg_roles``, which ``pg_dump`` needs, and which say nothing. With ``--no-subscriptions`` (it
would look for these in ``pg_database``) a workspace can dump its database by itself; ``psql``'s ``\\d`` family and
drivers don't miss anything, its ``\\l`` and ``\\du`` are refused.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg import errors, sql

Server = psycopg.Connection[Any]

#: How often a change of the catalog is tried that another one got in the way of, and the seconds in between.
_TRIES, _PAUSE = 5, 0.2

#: Other databases, their settings, sizes, comments; other sessions, what they do and hold.
CATALOGS = (
    "pg_database",
    "pg_db_role_setting",
    "pg_shdepend",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_replication_origin",
    "pg_user",
    "pg_group",
    "pg_auth_members",
    "pg_stat_activity",
    "pg_stat_database",
    "pg_stat_database_conflicts",
    "pg_stat_ssl",
    "pg_stat_gssapi",
    "pg_stat_replication",
    "pg_stat_replication_slots",
    "pg_stat_subscription",
    "pg_stat_progress_analyze",
    "pg_stat_progress_basebackup",
    "pg_stat_progress_cluster",
    "pg_stat_progress_copy",
    "pg_stat_progress_create_index",
    "pg_stat_progress_vacuum",
    "pg_locks",
    "pg_prepared_xacts",
    "pg_replication_slots",
    "pg_replication_origin_status",
)
#: Of these, the columns that pg_dump reads are left.
COLUMNS = {"pg_roles": ("oid", "rolname")}
#: The functions behind those views; then what takes from all: locks in the shared table, large objects and messages in
#: the write-ahead log, which no quota counts against the tables.
FUNCTIONS = (
    "pg_stat_get_activity",
    "pg_stat_get_backend_%",
    "pg_stat_get_db_%",
    "pg_stat_get_progress_info",
    "pg_stat_get_wal_senders",
    "pg_stat_get_replication_slot%",
    "pg_stat_get_subscription",
    "pg_lock_status",
    "pg_blocking_pids",
    "pg_safe_snapshot_blocking_pids",
    "pg_prepared_xact",
    "pg_get_replication_slots",
    "pg_show_replication_origin_status",
    "pg_database_size",
    "pg_tablespace_databases",
    "pg_advisory_lock%",  # unlocking stays: some drivers' pools call it for each connection that comes back
    "pg_advisory_xact_lock%",
    "pg_try_advisory_%",
    "pg_logical_emit_message",
    "lo_%",
    "lowrite",
    "loread",
)


def close_databases(server: Server) -> list[str]:
    """Take CONNECT and TEMPORARY on every database of the server from PUBLIC; the names of those that were open.

    New databases are open again (a template's rights aren't copied), so this is repeated with each look at the server.
    """
    rows = server.execute(
        "SELECT datname FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS granted"
        " WHERE granted.grantee = 0 GROUP BY datname ORDER BY datname"
    ).fetchall()
    closed = []
    for (name,) in rows:
        try:
            server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        except (errors.InvalidCatalogName, errors.InternalError_):
            continue  # it was dropped, or changed by another one, at this moment: the next look finds it if it's there
        closed.append(name)
    return closed


def close_catalogs(inside: Server) -> None:
    """Take from PUBLIC, in this database, what tells of others on the server or uses up what all of them share.

    Vacuum writes to the same rows of the catalog at any time; PostgreSQL refuses the later one ("tuple concurrently
    updated"), so it is tried again.
    """
    for left in reversed(range(_TRIES)):
        try:
            with inside.transaction():
                _close_catalogs(inside)
        except errors.InternalError_:
            if not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _close_catalogs(inside: Server) -> None:
    present = inside.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relname = ANY(%s)",
        [[*CATALOGS, *COLUMNS]],
    ).fetchall()
    for (name,) in present:
        catalog = sql.Identifier("pg_catalog", name)
        inside.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(catalog))
        if name in COLUMNS:
            columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS[name]))
            inside.execute(sql.SQL("GRANT SELECT ({}) ON {} TO PUBLIC").format(columns, catalog))
    functions = inside.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        " AND proname LIKE ANY(%s)",
        [[name.replace("_", r"\_") for name in FUNCTIONS]],
    ).fetchall()
    names = sql.SQL(", ").join(sql.SQL(name) for (name,) in functions)
    inside.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(names))
