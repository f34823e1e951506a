from apps.plans.models.dimension import Dimension
from apps.plans.models.plan import Plan, PlanLimit
from apps.plans.models.usage import UsageDrift, WorkspaceUsage

__all__ = ["Dimension", "Plan", "PlanLimit", "UsageDrift", "WorkspaceUsage"]
