"""Addresses of the endpoints of plans."""

from django.urls import path

from apps.plans.api.v1.views import DimensionViewSet, PlanViewSet

urlpatterns = [
    path("billing/dimensions", DimensionViewSet.as_view({"get": "list"}), name="billing-dimensions"),
    path("billing/plans", PlanViewSet.as_view({"get": "list"}), name="billing-plans"),
]
