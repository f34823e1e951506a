"""What a restore calls the databases and the role that it makes on the workspace's server.

All begin with the database's prefix and end with digits of the operation that nobody else's has: a worker that comes
late finds its own, or nothing.
"""

from __future__ import annotations

from uuid import UUID

from apps.databases.models import WorkspaceDatabase


def fresh_name(database: WorkspaceDatabase, operation_id: UUID, attempt: int) -> str:
    """The database that an attempt fills. Each attempt has its own: a ``pg_restore`` that outlived its worker still
    fills the one of its attempt."""
    return f"{fresh_stem(database, operation_id)}{attempt}"


def fresh_stem(database: WorkspaceDatabase, operation_id: UUID) -> str:
    """What the names of all attempts begin with."""
    return f"{database.prefix}_n{_tail(operation_id)}_"


def kept_name(database: WorkspaceDatabase, operation_id: UUID) -> str:
    """The name of the database that is kept: the one that was live, or the copy."""
    return f"{database.prefix}_k{_tail(operation_id)}"


def loader_name(database: WorkspaceDatabase, operation_id: UUID, attempt: int) -> str:
    """The login by which an attempt loads the dump."""
    return f"{loader_stem(database, operation_id)}{attempt}"


def loader_stem(database: WorkspaceDatabase, operation_id: UUID) -> str:
    """What the names of the logins of all attempts begin with."""
    return f"{database.prefix}_l{_tail(operation_id)}_"


def _tail(operation_id: UUID) -> str:
    # The last 48 bits of a UUIDv7 are random (RFC 9562, section 5.7).
    return operation_id.hex[-12:]
