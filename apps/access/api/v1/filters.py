"""What the list of keys can be narrowed by."""

from __future__ import annotations

from django_filters import ChoiceFilter, UUIDFilter

from apps.access.models import ApiKey
from apps.access.states import ApiKeyStatus
from apps.common.api.filters import Filters


class ApiKeyFilters(Filters):
    status = ChoiceFilter(choices=ApiKeyStatus.choices)
    member = UUIDFilter(field_name="membership_id", help_text="The id of a member or service account.")

    class Meta:
        model = ApiKey
        fields: list[str] = []
