"""By what visits can be found."""

from __future__ import annotations

import django_filters

from apps.common.api.filters import Filters
from apps.runtime.models import RuntimeEvent


class EventFilters(Filters):
    kind = django_filters.ChoiceFilter(choices=RuntimeEvent.Kind.choices)
    session = django_filters.UUIDFilter(field_name="session_id")
    status = django_filters.NumberFilter()
    version = django_filters.NumberFilter()
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")


class SessionFilters(Filters):
    user = django_filters.UUIDFilter(field_name="user_id")
    address = django_filters.CharFilter()
    since = django_filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="lt")
