"""What the endpoints of plans answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.plans.models import Dimension


class DimensionOutput(serializers.Serializer[Any]):
    """Something that is metered and may be limited."""

    code = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    kind = serializers.ChoiceField(choices=Dimension.Kind.choices)
    reset = serializers.ChoiceField(choices=Dimension.Reset.choices)
    on_failure = serializers.ChoiceField(choices=Dimension.OnFailure.choices)


class PlanLimitOutput(serializers.Serializer[Any]):
    """One dimension's limits; null is unlimited."""

    dimension = serializers.CharField(source="dimension_id")
    soft_limit = serializers.IntegerField(allow_null=True)
    hard_limit = serializers.IntegerField(allow_null=True)
    overage = serializers.BooleanField()


class PlanOutput(serializers.Serializer[Any]):
    """A set of limits under a name."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    limits = PlanLimitOutput(many=True)
