"""By what runs can be found."""

from __future__ import annotations

import django_filters

from apps.common.api.filters import Filters
from apps.workflows.models import Run
from apps.workflows.states import RunStatus


class RunFilters(Filters):
    status = django_filters.ChoiceFilter(choices=RunStatus.choices)
    trigger = django_filters.ChoiceFilter(choices=Run.Trigger.choices)
    workflow = django_filters.UUIDFilter(field_name="workflow_id")
    app = django_filters.UUIDFilter(field_name="app_id")
    since = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
