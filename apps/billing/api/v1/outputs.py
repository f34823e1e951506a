"""What the endpoints of billing answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.billing.models import AppUsage, Quota
from apps.billing.states import ReservationStatus
from apps.workspaces.services.default_app import name_apps

_KINDS = "`counter` (sums in a period), `gauge` (a level) or `count` (things that exist)."


class PeriodOutput(serializers.Serializer[Any]):
    """From `start` until just before `end`; null is never."""

    start = serializers.DateTimeField(source="period_start")
    end = serializers.DateTimeField(source="period_end", allow_null=True)


class OverrideOutput(serializers.Serializer[Any]):
    """Why an operator gave other limits than the plan's, and until when."""

    reason = serializers.CharField()
    ends_at = serializers.DateTimeField()


class StandingOutput(serializers.Serializer[Any]):
    """A quota: what may be used of a dimension, and what is used."""

    dimension = serializers.CharField(source="dimension.code")
    name = serializers.CharField(source="dimension.name")
    unit = serializers.CharField(source="dimension.unit")
    kind = serializers.CharField(source="dimension.kind", help_text=_KINDS)
    soft_limit = serializers.IntegerField(source="quota.soft_limit", allow_null=True)
    hard_limit = serializers.IntegerField(source="quota.hard_limit", allow_null=True, help_text="Null is unlimited.")
    used = serializers.IntegerField(source="quota.used")
    reserved = serializers.IntegerField(source="quota.reserved")
    room = serializers.IntegerField(source="quota.room", allow_null=True, help_text="Null is any amount.")
    overage_allowed = serializers.BooleanField(source="quota.overage_allowed")
    overage = serializers.IntegerField(source="quota.overage", help_text="The part of used above the hard limit.")
    over_soft_limit = serializers.BooleanField()
    percent = serializers.FloatField(allow_null=True, help_text="Of the hard limit, or of the soft one without it.")
    period = PeriodOutput(source="quota")
    resets_at = serializers.DateTimeField(source="quota.period_end", allow_null=True)
    source = serializers.ChoiceField(  # type: ignore[assignment] # a field called like Field's own attribute
        source="quota.limit_source", choices=Quota.Source.choices
    )
    grace_until = serializers.DateTimeField(
        source="quota.grace_until", allow_null=True, help_text="Until then the limits from before a change hold."
    )
    override = OverrideOutput(allow_null=True)


class QuotaOutput(serializers.Serializer[Any]):
    """A workspace's plan and its quota in every dimension."""

    plan = serializers.CharField()
    dimensions = StandingOutput(many=True)


class UseOutput(serializers.Serializer[Any]):
    """What was counted, and the quota as it was with it; a repeat of the key gets the same."""

    id = serializers.UUIDField(help_text="The entry of the ledger.")
    dimension = serializers.CharField()
    amount = serializers.IntegerField()
    overage = serializers.IntegerField(help_text="The part of amount above the hard limit.")
    used = serializers.IntegerField()
    reserved = serializers.IntegerField()
    soft_limit = serializers.IntegerField(allow_null=True)
    hard_limit = serializers.IntegerField(allow_null=True)
    overage_allowed = serializers.BooleanField()
    over_soft_limit = serializers.BooleanField()
    period_start = serializers.DateTimeField()
    resets_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # It was made where it is true, in the database, and is kept as it was told first. Making the fields anew for
        # each request would cost more than all else here; they are there only when `?fields=` has picked some.
        picked: Any = self.__dict__.get("fields", self._declared_fields)
        return {name: instance[name] for name in picked}


class ReservedOutput(UseOutput):
    """What was set aside, and the quota as it was with it; a repeat of the key gets the same."""

    id = serializers.UUIDField(help_text="The reservation.")
    expires_at = serializers.DateTimeField(allow_null=True)


class CorrectedOutput(UseOutput):
    """What was taken back, and the quota as it was without it; a repeat of the key gets the same."""

    amount = serializers.IntegerField(help_text="Negative.")
    corrects = serializers.UUIDField(help_text="The entry that was wrong.")


class AppRef(serializers.Serializer[Any]):
    """An app; its slug and name are null when it is gone."""

    id = serializers.UUIDField()
    slug = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class _Named(serializers.ListSerializer[Any]):
    """Rows with the names of their apps, which are read in one query."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        context: Any = self.context
        context["app_names"] = name_apps({row.app_id for row in rows if row.app_id is not None})
        return super().to_representation(rows)


class _OfApp(serializers.Serializer[Any]):
    app = serializers.SerializerMethodField()

    class Meta:
        list_serializer_class = _Named

    @extend_schema_field(AppRef(allow_null=True))
    def get_app(self, row: Any) -> dict[str, Any] | None:
        if row.app_id is None:
            return None
        names = self.context.get("app_names")
        known = (name_apps([row.app_id]) if names is None else names).get(row.app_id)
        return {"id": str(row.app_id), "slug": known.slug if known else None, "name": known.name if known else None}


class ReservationOutput(_OfApp):
    """An amount that is set aside until it is committed or released, or expires."""

    id = serializers.UUIDField()
    dimension = serializers.CharField()
    amount = serializers.IntegerField()
    status = serializers.ChoiceField(choices=ReservationStatus.choices)
    committed_amount = serializers.IntegerField(allow_null=True)
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="`api`, or the part of the platform that holds it."
    )
    key = serializers.CharField(source="idempotency_key")
    note = serializers.CharField()
    actor = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class UsageEventOutput(_OfApp):
    """One entry of the ledger; it never changes."""

    id = serializers.UUIDField()
    dimension = serializers.CharField()
    amount = serializers.IntegerField(help_text="Negative in a correction, and where a level fell.")
    overage = serializers.IntegerField()
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="`api`, `correction`, or the part of the platform that metered it."
    )
    occurred_at = serializers.DateTimeField()
    period_start = serializers.DateTimeField(help_text="Of the period that it counts in.")
    key = serializers.CharField(source="idempotency_key", allow_null=True)
    note = serializers.CharField()
    actor = serializers.CharField()
    corrects = serializers.UUIDField(source="corrects_id", allow_null=True)


class UsageEventDetail(UsageEventOutput):
    """One entry of the ledger, and how much of it has been taken back."""

    corrected = serializers.IntegerField()

    class Meta:
        list_serializer_class = None


class AppUsageOutput(_OfApp):
    """What an app (null: none) used of a dimension in an hour (UTC) or a day (of the workspace's time zone)."""

    start = serializers.DateTimeField()
    bucket = serializers.ChoiceField(choices=AppUsage.Bucket.choices)
    dimension = serializers.CharField()
    amount = serializers.IntegerField()


class TotalOutput(serializers.Serializer[Any]):
    """What all apps together used."""

    start = serializers.DateTimeField()
    dimension = serializers.CharField()
    amount = serializers.IntegerField()


class ClosedPeriodOutput(serializers.Serializer[Any]):
    """What was used in a period that is over, and the limits at its end."""

    dimension = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    used = serializers.IntegerField()
    overage = serializers.IntegerField()
    soft_limit = serializers.IntegerField(allow_null=True)
    hard_limit = serializers.IntegerField(allow_null=True)


class WorkspaceUsageOutput(serializers.Serializer[Any]):
    """What a workspace used from a moment on until before another."""

    bucket = serializers.ChoiceField(choices=AppUsage.Bucket.choices)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    items = TotalOutput(many=True, help_text="Oldest first; what wasn't used has none.")
    periods = ClosedPeriodOutput(many=True, help_text="Those of which a part lies in this range, newest first.")


class ForecastOutput(serializers.Serializer[Any]):
    """What a quota will come to if use goes on as it does."""

    dimension = serializers.CharField(source="quota.dimension")
    kind = serializers.CharField(source="quota.kind", help_text=_KINDS)
    used = serializers.IntegerField(source="quota.used")
    soft_limit = serializers.IntegerField(source="quota.soft_limit", allow_null=True)
    hard_limit = serializers.IntegerField(source="quota.hard_limit", allow_null=True)
    rate_per_day = serializers.SerializerMethodField(help_text="Units; what it grew by, for a level.")
    projected = serializers.IntegerField()
    projected_at = serializers.DateTimeField(help_text="The end of the period, or in 30 days where there is none.")
    soft_limit_at = serializers.DateTimeField(allow_null=True, help_text="Now, when it is reached already.")
    hard_limit_at = serializers.DateTimeField(allow_null=True, help_text="Null: not in this period, or not in a year.")

    def get_rate_per_day(self, forecast: Any) -> float:
        return float(round(forecast.rate, 3))


class ForecastsOutput(serializers.Serializer[Any]):
    """A forecast for every dimension, as of a moment."""

    as_of = serializers.DateTimeField()
    dimensions = ForecastOutput(many=True)
