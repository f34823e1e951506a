"""Which columns hold sealed values: each app declares its own, so that a rotation finds them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

from django.apps import apps
from django.db import models
from django.db.models import Q

from apps.common.models import TenantModel
from apps.common.tenancy import PUBLIC, schemas_holding
from apps.secrets.services.envelopes import beginning_under

#: Few, so that the rows that a rotation locks are free again within milliseconds.
_BATCH = 100


class Each(Protocol):
    """Called with an envelope and what it is bound to; gives the envelope that is to stand in its place."""

    def __call__(self, envelope: str, *, model: str, key: str, field: str) -> str: ...


#: ``visit(stored, key, each)``: what a column holds, in the row ``key``, with every envelope in it given to ``each``.
Visit = Callable[[Any, str, Each], Any]


@dataclass(frozen=True, slots=True)
class SealedField:
    """A column that holds envelopes; ``bound_field`` is the field that these are bound to."""

    model: str
    column: str
    bound_field: str
    where: Q
    #: None when the column holds one envelope and nothing else.
    custom_visit: Visit | None

    def __str__(self) -> str:
        return f"{self.model}.{self.column}"

    @property
    def rows(self) -> models.QuerySet[Any]:
        """The rows of the entered schema in whose column something can be sealed."""
        model = cast(Any, apps.get_model(self.model))
        found: models.QuerySet[Any] = model._base_manager.filter(self.where)
        return found

    @property
    def schemas(self) -> list[str]:
        """The schemas that have such rows: the public one, or every workspace's."""
        model = apps.get_model(self.model)
        return schemas_holding(model._meta.db_table) if issubclass(model, TenantModel) else [PUBLIC]

    def batches(self, *, but_under: str | None = None) -> Iterator[list[tuple[Any, Any]]]:
        """``(primary key, stored value)`` of the rows of the entered schema, a hundred at a time.

        Each batch is a query of its own. What is seen at a glance to be under the key ``but_under`` is left out.
        """
        rows = self.rows.order_by("pk")
        if but_under is not None and self.custom_visit is None:
            rows = rows.exclude(**{f"{self.column}__startswith": beginning_under(but_under)})
        batch = list(rows.values_list("pk", self.column)[:_BATCH])
        while batch:
            yield batch
            batch = list(rows.filter(pk__gt=batch[-1][0]).values_list("pk", self.column)[:_BATCH])

    def visit(self, stored: Any, key: str, each: Each) -> Any:
        """``stored`` with every envelope in it replaced by what ``each`` gives for it."""
        if self.custom_visit is not None:
            return self.custom_visit(stored, key, each)
        return each(stored, model=self.model, key=key, field=self.bound_field)


_declared: dict[tuple[str, str], SealedField] = {}


def declare_sealed_field(
    model: str,
    column: str,
    *,
    bound_field: str | None = None,
    where: Q | None = None,
    visit: Visit | None = None,
) -> None:
    """Say, when the apps are ready, that ``column`` of ``model`` ("app.Model") holds sealed values.

    By default it is a text column with one envelope, or nothing, that was sealed with this ``model``, the row's primary
    key as ``key``, and ``bound_field`` (the column's name) as ``field``. The ``sealed_key`` of a stream is such a value
    too. Whatever is stored in another form brings a ``visit``; ``where`` leaves out rows that hold nothing sealed.
    Raises ValueError for a second declaration.
    """
    if (model, column) in _declared:
        raise ValueError(f"The sealed field {model}.{column} is declared twice")
    if where is None:
        where = Q(**{f"{column}__gt": ""}) if visit is None else Q()
    _declared[model, column] = SealedField(model, column, bound_field or column, where, visit)


def sealed_fields() -> list[SealedField]:
    """All that were declared, by name."""
    return [_declared[name] for name in sorted(_declared)]
