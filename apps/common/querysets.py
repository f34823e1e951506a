"""Querysets that know the workspace they were made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models.query import RawQuerySet

from apps.common.errors import WrongWorkspace
from apps.common.tenancy import current_schema

M = TypeVar("M", bound=models.Model, covariant=True)


def require_schema(stamp: str | None, what: str) -> None:
    """Raise WrongWorkspace unless ``stamp`` is the schema of this moment."""
    schema = current_schema()
    if stamp is not None and stamp != schema:
        raise WrongWorkspace(f"{what} belongs to {stamp} and was used in {schema}.")


def require_row(row: models.Model) -> None:
    """Raise WrongWorkspace unless ``row``, and every row that it refers to as far as those are in hand, is of the
    schema of this moment."""
    require_schema(getattr(row, "_schema", None), f"{type(row).__name__} {row.pk}")
    for related in row._state.fields_cache.values():
        if isinstance(related, models.Model):
            require_schema(getattr(related, "_schema", None), f"{type(related).__name__} {related.pk}")


class TenantQuerySet(models.QuerySet[M]):
    """Stamped with the schema when it is made; refuses to be evaluated, or to write, in another one.

    A lazy queryset that leaves its workspace would silently read the next one's rows: this makes it an error.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._schema = current_schema()
        hints: dict[str, Any] = getattr(self, "_hints", None) or {}
        hinted = hints.get("instance")
        if hinted is not None:
            require_schema(getattr(hinted, "_schema", None), f"{type(hinted).__name__} {hinted.pk}")

    def _check(self) -> None:
        require_schema(self._schema, f"A query of {self.model.__name__}")

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc] # private, and the one place where copies are made
        clone._schema = self._schema
        return clone

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        """As a subquery of another query: that one's workspace must be ours."""
        self._check()
        return super().resolve_expression(*args, **kwargs)

    # Each of these reaches the database.
    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._check()
        super()._fetch_all()

    def iterator(self, chunk_size: int | None = None) -> Iterator[M]:
        self._check()
        for row in super().iterator(chunk_size=chunk_size or 2000):
            self._check()
            yield row

    def count(self) -> int:
        if self._result_cache is None:
            self._check()
        return super().count()

    def exists(self) -> bool:
        if self._result_cache is None:
            self._check()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._check()
        return super().aggregate(*args, **kwargs)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        self._check()
        return super().explain(*args, **kwargs)

    def raw(self, *args: Any, **kwargs: Any) -> RawQuerySet:
        """Evaluated where it was asked for: a raw query that is kept would read wherever it is looked at."""
        self._check()
        rows = super().raw(*args, **kwargs)
        rows._fetch_all()  # type: ignore[attr-defined]
        return rows

    def create(self, **kwargs: Any) -> M:
        self._check()
        return super().create(**kwargs)

    def update(self, **kwargs: Any) -> int:
        self._check()
        return super().update(**kwargs)

    def _update(self, values: Any) -> int:
        self._check()
        changed: int = super()._update(values)  # type: ignore[misc]
        return changed

    def _insert(self, *args: Any, **kwargs: Any) -> Any:
        self._check()
        return super()._insert(*args, **kwargs)  # type: ignore[misc]

    def delete(self) -> tuple[int, dict[str, int]]:
        self._check()
        return super().delete()

    def _raw_delete(self, using: str | None) -> int:
        self._check()
        return super()._raw_delete(using)

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        self._check()
        rows = list(objs)
        for row in rows:
            require_row(row)
        created = super().bulk_create(rows, *args, **kwargs)
        for row in created:
            row._schema = self._schema  # type: ignore[attr-defined]
        return created

    def bulk_update(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> int:
        self._check()
        rows = list(objs)
        for row in rows:
            require_row(row)
        return super().bulk_update(rows, *args, **kwargs)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The manager of every tenant model; a related manager also checks the instance it hangs on."""

    use_in_migrations = False

    def get_queryset(self) -> Any:
        instance = getattr(self, "instance", None)
        if instance is not None:
            require_schema(getattr(instance, "_schema", None), f"{type(instance).__name__} {instance.pk}")
        return super().get_queryset()

    @classmethod
    def of(cls, queryset_class: type[TenantQuerySet[Any]]) -> Any:
        """A manager with the methods of ``queryset_class``, which must be a TenantQuerySet."""
        return cls.from_queryset(queryset_class)()
