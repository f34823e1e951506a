"""What a server says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class ServerReport:
    """``version`` is server_version_num, such as 150018; ``is_primary`` is false for a standby, which can't be
    written; ``size_bytes`` is that of all databases."""

    version: int
    is_superuser: bool
    is_primary: bool
    max_connections: int
    size_bytes: int


def inspect_server(server: psycopg.Connection[Any]) -> ServerReport:
    """Ask a server, by the connection of whom the platform logs in as."""
    row = server.execute(
        "SELECT rolsuper, NOT pg_is_in_recovery(), current_setting('max_connections')::int"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None, "whoever is logged in has a role"
    is_superuser, is_primary, max_connections = row
    size = server.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone() if is_superuser else None
    return ServerReport(
        version=server.info.server_version,
        is_superuser=is_superuser,
        is_primary=is_primary,
        max_connections=max_connections,
        size_bytes=int(size[0]) if size else 0,
    )


def logins_admitted(server: psycopg.Connection[Any], names: list[str]) -> dict[str, bool]:
    """Of those of these roles that exist, whether they may log in."""
    rows = server.execute("SELECT rolname::text, rolcanlogin FROM pg_roles WHERE rolname = ANY(%s)", [names])
    return dict(rows.fetchall())
