"""Lists: pages by cursor, filters, search, and the choice of fields.

A cursor says behind which row a page begins, by that row's sort value and key, and nothing about what a caller may
see: whoever invents one gets another part of their own list. It is therefore checked, not signed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import F, Field, Q, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)
from django.http import QueryDict
from rest_framework.serializers import BaseSerializer

from apps.common.api.filters import Filters, apply_filters, parameter_names
from apps.common.api.problems import escape_pointer
from apps.common.errors import FieldError, InvalidInput

_AFTER, _BEFORE, _UP_TO = "a", "b", "u"
_OWN_PARAMETERS = ("cursor", "limit", "order", "fields")
_COMPARISONS = {
    (False, False): TupleGreaterThan,
    (False, True): TupleGreaterThanOrEqual,
    (True, False): TupleLessThan,
    (True, True): TupleLessThanOrEqual,
}


class MalformedCursor(InvalidInput):
    """The cursor is not one that this list handed out."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        sentence = "This cursor is not from this list, or is for another order. Start again without one."
        super().__init__(errors=[FieldError("/cursor", "invalid_cursor", sentence)])


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list shows and how it may be asked for: stands in a view's ``outputs`` table.

    ``orders`` names the columns that ``?order=`` takes, each also with the other sign; the first is the default. A
    mapping gives them public names (``{"email": "user__email"}``). ``search`` are the columns that ``?q=`` looks in,
    or a function ``(queryset, text) → queryset``; without it there is no ``?q=``. An ordered column holds no NULL.
    ``csv`` says that ``?as=csv`` answers all that the filters leave as a file (``ApiView.wants_csv``).
    """

    item: type[BaseSerializer[Any]]
    orders: Sequence[str] | Mapping[str, str] = ("-created_at",)
    search: Sequence[str] | Callable[[Any, str], Any] = ()
    filters: type[Filters] | None = None
    csv: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Public name → column, both without sign."""
        named = self.orders if isinstance(self.orders, Mapping) else {name: name for name in self.orders}
        return {name.lstrip("-"): column.lstrip("-") for name, column in named.items()}

    @property
    def default_order(self) -> str:
        return next(iter(self.orders))

    @property
    def parameters(self) -> list[str]:
        """Every query parameter that this list knows."""
        own = [*_OWN_PARAMETERS, *(["q"] if self.search else []), *(["as"] if self.csv else [])]
        return [*own, *(parameter_names(self.filters) if self.filters else ())]


@dataclass(frozen=True, slots=True)
class _Position:
    """A place in a list: the side of the row with this sort value and key on which the page lies."""

    side: str
    order: str
    values: tuple[Any, ...]

    def encode(self) -> str:
        raw = json.dumps([self.side, self.order, *self.values], default=str, separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> _Position:
        try:
            raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            side, order, *values = json.loads(raw)
        except (ValueError, TypeError, binascii.Error, RecursionError):
            raise MalformedCursor from None
        if side not in (_AFTER, _BEFORE, _UP_TO) or not isinstance(order, str):
            raise MalformedCursor
        return cls(side, order, tuple(values))


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and the cursors of its neighbours."""

    rows: list[Any]
    next: str | None
    previous: str | None


def list_page(queryset: QuerySet[Any], listing: Listing, *, query: QueryDict, url: str, context: Any) -> dict[str, Any]:
    """The answer ``{"items", "next", "previous"}`` for the query parameters of a request to ``url``.

    Raises InvalidInput, pointing at the parameter, for an unknown one or a value that it doesn't take.
    """
    _require_known(query, listing)
    if listing.filters is not None:
        queryset = apply_filters(queryset, listing.filters, query=query, request=context.get("request"))
    queryset = _search(queryset, listing, query.get("q", ""))
    page = cut_page(
        queryset,
        order=query.get("order") or listing.default_order,
        columns=listing.columns,
        limit=_limit(query.get("limit")),
        cursor=query.get("cursor"),
    )
    serializer = listing.item(page.rows, many=True, context=context)
    pick_fields(serializer, query.get("fields"))

    def neighbour(cursor: str | None) -> str | None:
        if cursor is None:
            return None
        kept = [(name, value) for name, values in query.lists() for value in values if name != "cursor"]
        return f"{url}?{urlencode([*kept, ('cursor', cursor)])}"

    return {"items": serializer.data, "next": neighbour(page.next), "previous": neighbour(page.previous)}


def cut_page(
    queryset: QuerySet[Any], *, order: str, columns: Mapping[str, str], limit: int, cursor: str | None
) -> Page:
    """One page of ``queryset`` in one query, found by comparing ``(order, key)`` with an index, not by counting rows.

    ``order`` is a name of ``columns``, with ``-`` before it for descending. Raises InvalidInput for another one, or
    for a cursor that isn't of this list and order.
    """
    name, descending = order.lstrip("-"), order.startswith("-")
    if name not in columns or order not in (name, f"-{name}"):
        allowed = ", ".join(sorted(f"{sign}{known}" for known in columns for sign in ("", "-")))
        raise InvalidInput.at("/order", "invalid_order", f"This list can be ordered by {allowed}.")
    key = queryset.model._meta.pk.attname
    fields = [columns[name]] if columns[name] == key else [columns[name], key]
    _field(queryset, fields[0])
    position = _Position.decode(cursor) if cursor else None
    backward = position is not None and position.side != _AFTER
    if position is not None:
        queryset = queryset.filter(_beside(queryset, position, order, fields, descending=descending))
    sign = "-" if descending != backward else ""
    rows = list(queryset.order_by(*(f"{sign}{field}" for field in fields))[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    if backward:
        rows.reverse()
    return _with_neighbours(rows, position, order, fields, more=more, backward=backward)


def pick_fields(serializer: BaseSerializer[Any], wanted: str | None) -> None:
    """Leave only the fields that ``wanted`` (names with commas between) asks for. Raises InvalidInput for others."""
    if not wanted:
        return
    shown: Any = getattr(serializer, "child", serializer)
    names = {name.strip() for name in wanted.split(",")}
    unknown = names - set(shown.fields)
    if unknown:
        sentence = f"Unknown: {', '.join(sorted(unknown))}. There are {', '.join(shown.fields)}."
        raise InvalidInput.at("/fields", "unknown_field", sentence)
    for name in set(shown.fields) - names:
        shown.fields.pop(name)


def _require_known(query: QueryDict, listing: Listing) -> None:
    known = listing.parameters
    errors = [
        FieldError(f"/{escape_pointer(name)}", "unknown_parameter", f"This list takes {', '.join(known)}.")
        for name in query
        if name not in known
    ]
    errors += [
        FieldError(f"/{escape_pointer(name)}", "invalid", "A value may not contain the character NUL.")
        for name, values in query.lists()
        if any("\x00" in value for value in values)
    ]
    if errors:
        raise InvalidInput(errors=errors)


def _limit(text: str | None) -> int:
    if text is None:
        return settings.PAGE_SIZE
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= settings.PAGE_SIZE_MAX):
        sentence = f"A page has 1 to {settings.PAGE_SIZE_MAX} items."
        raise InvalidInput.at("/limit", "invalid_limit", sentence)
    return int(text)


def _search(queryset: QuerySet[Any], listing: Listing, text: str) -> QuerySet[Any]:
    text = text.strip()
    if not text or not listing.search:
        return queryset
    if callable(listing.search):
        found: QuerySet[Any] = listing.search(queryset, text)
        return found
    # Every word somewhere. Chinese has no spaces: the text is then one word, found inside longer ones.
    for word in text.split()[:8]:
        anywhere = Q()
        for column in listing.search:
            anywhere |= Q(**{f"{column}__icontains": word})
        queryset = queryset.filter(anywhere)
    return queryset


def _beside(queryset: QuerySet[Any], position: _Position, order: str, fields: list[str], *, descending: bool) -> Any:
    if position.order != order or len(position.values) != len(fields):
        raise MalformedCursor
    values = [_value(_field(queryset, name), value) for name, value in zip(fields, position.values, strict=True)]
    less = descending if position.side == _AFTER else not descending
    compare = _COMPARISONS[(less, position.side == _UP_TO)]
    return compare(Tuple(*(F(name) for name in fields)), tuple(values))


def _field(queryset: QuerySet[Any], path: str) -> Field[Any, Any]:
    """The column at ``path``. Raises ImproperlyConfigured where NULL may stand: such rows would be on no page."""
    annotation = queryset.query.annotations.get(path)
    if annotation is not None:
        column: Field[Any, Any] = annotation.output_field
        return column
    names: Iterable[str] = path.split("__")
    model: Any = queryset.model
    field: Any = None
    for name in names:
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        if field.null:
            raise ImproperlyConfigured(f"{queryset.model.__name__} can't be ordered by {path}: it may be NULL.")
        model = field.related_model
    return field  # type: ignore[no-any-return]


def _value(field: Field[Any, Any], value: Any) -> Any:
    try:
        if isinstance(value, bool | list | dict) and field.get_internal_type() != "BooleanField":
            raise MalformedCursor
        converted = field.to_python(value)
        if converted is None or (isinstance(converted, str) and (not isinstance(value, str) or "\x00" in converted)):
            raise MalformedCursor
        str(converted).encode()
        if isinstance(converted, datetime):
            converted = converted.astimezone(UTC)
    except (ValidationError, ValueError, TypeError, OverflowError, ArithmeticError):
        raise MalformedCursor from None
    return converted


def _with_neighbours(
    rows: list[Any], position: _Position | None, order: str, fields: list[str], *, more: bool, backward: bool
) -> Page:
    def beside(row: Any, side: str) -> str:
        values = tuple(_reach(row, field) for field in fields)
        if None in values:
            raise ImproperlyConfigured(f"{type(row).__name__} can't be ordered by {fields[0]}: it is NULL.")
        return _Position(side, order, values).encode()

    if not rows:
        # What stood here was deleted meanwhile; the way back begins at the row that the cursor named.
        back = position is not None and not backward
        return Page([], None, _Position(_UP_TO, order, position.values).encode() if back and position else None)
    has_next = True if backward else more
    has_previous = more if backward else position is not None
    return Page(
        rows,
        beside(rows[-1], _AFTER) if has_next else None,
        beside(rows[0], _BEFORE) if has_previous else None,
    )


def _reach(row: Any, path: str) -> Any:
    if path in row.__dict__:
        return _written(row.__dict__[path])
    for name in path.split("__"):
        row = getattr(row, name)
    return _written(row)


def _written(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
