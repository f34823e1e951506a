"""The workspace in which the present code runs: entered here and nowhere else, and always left again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast
from uuid import UUID

from django.db import connection

PUBLIC = "public"
SCHEMA_PREFIX = "ws_"


class HasSchema(Protocol):
    """Whatever names a workspace's schema: the Workspace row, or a light stand-in for it."""

    @property
    def schema_name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SchemaRef:
    """A workspace's schema by name, for code that holds no Workspace row."""

    schema_name: str


_PUBLIC_REF = SchemaRef(PUBLIC)


def schema_for(workspace_id: UUID) -> str:
    """The opaque name that a new schema gets: ``ws_`` and 32 hexadecimal digits."""
    return f"{SCHEMA_PREFIX}{workspace_id.hex}"


def schemas_holding(table: str) -> list[str]:
    """The workspaces' schemas that hold ``table``, in order of name. For commands: a sweep never walks through all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname FROM pg_tables WHERE tablename = %s AND starts_with(schemaname, %s) ORDER BY schemaname",
            [table, SCHEMA_PREFIX],
        )
        return [name for (name,) in cursor.fetchall()]


def current_schema() -> str:
    """The schema that queries go to now; ``public`` outside every workspace."""
    return cast(str, cast(Any, connection).schema_name)


def in_workspace() -> bool:
    return current_schema() != PUBLIC


@contextmanager
def enter(workspace: HasSchema) -> Iterator[None]:
    """Run the block inside ``workspace``; what was entered before is restored, whatever happens."""
    tenant_connection = cast(Any, connection)
    previous = tenant_connection.tenant
    if previous.schema_name == workspace.schema_name:
        yield
        return
    tenant_connection.set_tenant(workspace)
    try:
        yield
    finally:
        tenant_connection.set_tenant(previous)


@contextmanager
def enter_public() -> Iterator[None]:
    """Run the block in the public schema, as from outside every workspace."""
    with enter(_PUBLIC_REF):
        yield


def set_workspace(workspace: HasSchema) -> None:
    """Enter for the rest of a request. Only the outermost code of a request may, and it calls ``leave_workspace``."""
    cast(Any, connection).set_tenant(workspace)


def leave_workspace() -> None:
    """Back to the public schema."""
    if in_workspace():
        cast(Any, connection).set_tenant(_PUBLIC_REF)
