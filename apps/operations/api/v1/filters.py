"""By what operations can be found."""

from __future__ import annotations

from django_filters import CharFilter, IsoDateTimeFilter, MultipleChoiceFilter

from apps.common.api.filters import Filters
from apps.operations.models import Operation
from apps.operations.services.kinds import registered_kinds
from apps.operations.states import OperationStatus


class OperationFilters(Filters):
    """By what it is, how it stands, what it works on, and when it was asked for."""

    kind = MultipleChoiceFilter(
        choices=lambda: [(kind.name, kind.title) for kind in registered_kinds()],
        help_text="Several, by repeating it, for example databases.backup.",
    )
    status = MultipleChoiceFilter(choices=OperationStatus.choices, help_text="Several, by repeating it.")
    target = CharFilter(field_name="target_id", help_text="The id of what it works on.")
    target_kind = CharFilter(help_text="For example database.")
    since = IsoDateTimeFilter(field_name="created_at", lookup_expr="gte", help_text="Asked for from this moment on.")
    until = IsoDateTimeFilter(field_name="created_at", lookup_expr="lt", help_text="Asked for before this moment.")

    class Meta:
        model = Operation
        fields: list[str] = []
