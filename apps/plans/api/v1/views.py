"""Dimensions and plans over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Listing
from apps.common.api.permissions import KNOWN
from apps.common.api.views import ApiViewSet
from apps.plans.api.v1.serializers import DimensionOutput, PlanOutput
from apps.plans.models import Dimension, Plan


class DimensionViewSet(ApiViewSet):
    """What is metered."""

    required = {"list": KNOWN}
    outputs = {"list": Listing(DimensionOutput, orders=("code",))}

    def list(self, request: Request) -> Response:
        """Everything that is metered and may be limited."""
        return self.page(Dimension.objects.all())


class PlanViewSet(ApiViewSet):
    """What a workspace may use."""

    required = {"list": KNOWN}
    outputs = {"list": Listing(PlanOutput, orders=("position",))}

    def list(self, request: Request) -> Response:
        """The plans, from the smallest to the largest."""
        return self.page(Plan.objects.prefetch_related("limits"))
