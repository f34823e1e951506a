"""By what apps can be found."""

from __future__ import annotations

import django_filters

from apps.applications.models import App
from apps.applications.states import AppStatus
from apps.common.api.filters import Filters


class AppFilters(Filters):
    status = django_filters.MultipleChoiceFilter(choices=AppStatus.choices)
    origin = django_filters.ChoiceFilter(choices=App.Origin.choices)
