"""Plans, and how workspaces stand to them, in the operators' console."""

from apps.plans.admin import dimensions, plans, usage

__all__ = ["dimensions", "plans", "usage"]
