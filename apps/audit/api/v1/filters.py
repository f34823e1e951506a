"""What a trail can be narrowed by."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters import CharFilter, ChoiceFilter, IsoDateTimeFilter, UUIDFilter

from apps.audit.models import AuditEvent
from apps.audit.services.export import ExportFormat
from apps.common.actors import ActorKind
from apps.common.api.filters import Filters


class _Named(Filters):
    actor = UUIDFilter(field_name="actor_id", help_text="The id of who acted.")
    actor_kind = ChoiceFilter(choices=[(kind, kind) for kind in ActorKind])
    action = CharFilter(help_text="For example member.update.")
    target = CharFilter(field_name="target_id", help_text="The id of what was acted on.")
    target_kind = CharFilter()
    to = IsoDateTimeFilter(field_name="at", lookup_expr="lt", help_text="Before this moment.")

    class Meta:
        model = AuditEvent
        fields: list[str] = []


# `from` is a word of Python's, so this one can't be written as an attribute.
AuditFilters = type(
    "AuditFilters",
    (_Named,),
    {
        "__module__": __name__,
        "__doc__": "By actor, action, target and time.",
        "from": IsoDateTimeFilter(field_name="at", lookup_expr="gte", help_text="From this moment on."),
    },
)


def _keep_all(acts: QuerySet[AuditEvent], _name: str, _format: str) -> QuerySet[AuditEvent]:
    return acts


ExportFilters = type(
    "ExportFilters",
    (AuditFilters,),
    {
        "__module__": __name__,
        "__doc__": "The same, and the format.",
        "as": ChoiceFilter(
            choices=[(kind, kind) for kind in ExportFormat],
            method=_keep_all,
            help_text="csv (the default) or ndjson.",
        ),
    },
)
