"""django-tenants' backend, which travels less.

Stock, every change of schema costs a ``SET search_path`` of its own: a round trip for entering a workspace, another for
leaving it. Here the path is compared with what the server's session has when a statement is executed, and what is to
be set goes with that statement in one message (simple query protocol: PostgreSQL documentation, 55.2.2.1 "Multiple
Statements in a Simple Query"). Entering and leaving without a query costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantDatabaseWrapper
from django_tenants.utils import quote_schema_name

#: What may share a message with SET. Others (VACUUM, CREATE INDEX CONCURRENTLY, CREATE DATABASE) refuse the implicit
#: transaction of a message with several statements.
_FOLDABLE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
#: What looks nothing up, and must get through in a transaction that has failed, where a SET would be refused.
_TRANSACTION_CONTROL = frozenset({"SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "BEGIN"})


class _PathMixin:
    """A cursor that brings the search path with it."""

    cursor: Any
    db: Any

    def _execute(self, sql: Any, params: Any, *ignored: Any) -> Any:
        path = self.db.path_to_set()
        if path is None or _is_transaction_control(sql):
            return super()._execute(sql, params, *ignored)  # type: ignore[misc]
        if not _is_foldable(sql):
            self._set_path(path)
            return super()._execute(sql, params, *ignored)  # type: ignore[misc]
        try:
            result = super()._execute(f"{_set_statement(path)}; {sql}", params, *ignored)  # type: ignore[misc]
        except BaseException:
            # One message is one transaction: the SET went with the failed statement.
            self.db.search_path_set_schemas = None
            raise
        self.cursor.nextset()
        self.db.search_path_set_schemas = path
        return result

    def _executemany(self, sql: Any, param_list: Any, *ignored: Any) -> Any:
        self._require_path()
        return super()._executemany(sql, param_list, *ignored)  # type: ignore[misc]

    def callproc(self, procname: str, params: Any = None, kparams: Any = None) -> Any:
        self._require_path()
        return super().callproc(procname, params, kparams)  # type: ignore[misc]

    def __getattr__(self, attr: str) -> Any:
        if attr in {"copy", "stream"}:
            self._require_path()
        return super().__getattr__(attr)  # type: ignore[misc]

    def _require_path(self) -> None:
        path = self.db.path_to_set()
        if path is not None:
            self._set_path(path)

    def _set_path(self, path: Sequence[str]) -> None:
        self.db.search_path_set_schemas = None
        super()._execute(_set_statement(path), None)  # type: ignore[misc]
        self.db.search_path_set_schemas = path


class PathCursor(_PathMixin, CursorWrapper):
    """The cursor of every query."""


class PathDebugCursor(_PathMixin, CursorDebugWrapper):
    """The same, which writes its queries down."""


class DatabaseWrapper(TenantDatabaseWrapper):
    """``search_path_set_schemas`` is what the server's session has; None when that isn't known."""

    search_path_set_schemas: list[str] | None
    _setting_search_path: bool

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        on_server = self.search_path_set_schemas
        super().set_tenant(tenant, include_public)
        self.search_path_set_schemas = on_server
        self._wanted_path = self._get_cursor_search_paths()

    def path_to_set(self) -> list[str] | None:
        """The path that the next statement needs and the session lacks; None when it has it."""
        wanted: list[str] = self._wanted_path
        return None if self.search_path_set_schemas == wanted else wanted

    def make_cursor(self, cursor: Any) -> PathCursor:
        return PathCursor(cursor, self)

    def make_debug_cursor(self, cursor: Any) -> PathDebugCursor:
        return PathDebugCursor(cursor, self)

    def _handle_search_path(self, cursor: Any = None) -> None:
        """Ordinary cursors bring the path themselves; one on the server can't, so it is set before."""
        if cursor is not None or self._setting_search_path or self.path_to_set() is None:
            return
        self._setting_search_path = True
        try:
            with self.cursor() as plain:
                plain.execute(_set_statement(self._wanted_path))
        finally:
            self._setting_search_path = False


def _is_foldable(sql: Any) -> bool:
    return _first_word(sql) in _FOLDABLE


def _is_transaction_control(sql: Any) -> bool:
    return _first_word(sql) in _TRANSACTION_CONTROL


def _first_word(sql: Any) -> str:
    return sql[:16].lstrip("( \n\t").partition(" ")[0].upper() if isinstance(sql, str) else ""


def _set_statement(path: Sequence[str]) -> str:
    return "SET search_path = " + ",".join(quote_schema_name(schema) for schema in path)
