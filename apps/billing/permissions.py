"""The permission codes of quotas and use."""

from apps.common.permissions import declare

declare("billing.view", "See quotas, use and forecasts", roles=["admin", "developer", "operator", "viewer"])
declare("billing.consume", "Report use, and reserve it beforehand", roles=["admin", "developer", "operator"])
declare("billing.correct", "Take back use that was reported by mistake", roles=["admin"])
