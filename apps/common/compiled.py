"""Queries of the hot path, compiled once per process.

Django turns a queryset into SQL anew for each use; for a row with its joined rows that takes longer than PostgreSQL
needs to answer. What is compiled here is an ordinary queryset, written with placeholders for its values, and what comes
out are ordinary model instances: only the compiling is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)


class CompiledSelect(Generic[M]):
    """``build`` makes the queryset from placeholders of the given types (``str`` or ``UUID``), by name.

    The values may only stand where they become parameters of the SQL (an exact filter, not a slice or a choice
    between two queries). It is run at once, in the entered schema, with which a workspace's rows are stamped.
    """

    def __init__(self, build: Callable[..., QuerySet[M]], **types: type[str] | type[UUID]) -> None:
        self._build = build
        self._placeholders: dict[str, Any] = {
            name: uuid4() if kind is UUID else f"placeholder:{name}:{uuid4()}" for name, kind in types.items()
        }

    def first(self, **values: Any) -> M | None:
        """The first row for these values, with the rows that the queryset joins to it, in one query."""
        plan = self._plan
        parameters = [values[name] if name is not None else fixed for name, fixed in plan.parameters]
        with connection.cursor() as cursor:
            cursor.execute(plan.sql, parameters)
            row = cursor.fetchone()
        return None if row is None else plan.instance(list(row))

    @cached_property
    def _plan(self) -> _Plan:
        return _Plan(self._build(**self._placeholders)[:1], self._placeholders)


class _Plan:
    """What Django's compiler found out about one queryset (as ``ModelIterable`` uses it)."""

    def __init__(self, queryset: QuerySet[Any], placeholders: dict[str, Any]) -> None:
        compiler: Any = queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        self.sql, parameters = compiler.as_sql()
        names = {value: name for name, value in placeholders.items()}
        self.parameters = [(names.get(value), value) for value in parameters]
        missing = set(placeholders) - {name for name, _ in self.parameters}
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))}: not a parameter of the query")
        select, info = compiler.select, compiler.klass_info
        self._model = info["model"]
        self._start, self._end = info["select_fields"][0], info["select_fields"][-1] + 1
        self._names = [column[0].target.attname for column in select[self._start : self._end]]
        # The stubs are of a newer Django, which takes one argument more.
        self._populators = get_related_populators(info, select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]
        self._converters = compiler.get_converters([column[0] for column in select[: compiler.col_count]])

    def instance(self, row: list[Any]) -> Any:
        for position, (converters, expression) in self._converters.items():
            for convert in converters:
                row[position] = convert(row[position], expression, connection)
        made = self._model.from_db(DEFAULT_DB_ALIAS, self._names, row[self._start : self._end])
        for populator in self._populators:
            populator.populate(row, made)
        return made
