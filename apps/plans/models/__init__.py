from apps.plans.models.dimension import Dimension
from apps.plans.models.plan import Plan, PlanLimit

__all__ = ["Dimension", "Plan", "PlanLimit"]
