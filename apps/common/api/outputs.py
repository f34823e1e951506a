"""What stands in a view's ``outputs`` table: how each action answers. The answer and its documentation come from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.serializers import BaseSerializer

from apps.common.api.filters import Filters
from apps.common.api.pagination import Listing

Item = type[BaseSerializer[Any]]


@dataclass(frozen=True, slots=True)
class Created:
    """201 with the new thing."""

    item: Item


@dataclass(frozen=True, slots=True)
class Accepted:
    """202 with the operation that does the work (200 when it is done within ``Prefer: wait``)."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Something else than JSON: ``media_type``, what it is and the filters it takes, for the documentation."""

    media_type: str
    description: str
    filters: type[Filters] | None = None


#: A serializer answers 200 with one thing, None answers 204; a mapping gives each status its own.
Output = Item | Listing | Created | Accepted | Raw | None
Outputs = Mapping[str, "Output | Mapping[int, Item | None]"]


def item_of(output: Any, status: int) -> Item | None:
    """The serializer of an answer with ``status``."""
    if isinstance(output, Mapping):
        output = output.get(status)
    if isinstance(output, Listing | Created):
        return output.item
    if isinstance(output, Accepted | Raw):
        return None
    return output  # type: ignore[no-any-return]
