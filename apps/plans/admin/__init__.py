"""Plans, and how workspaces stand to them, in the operators' console."""

from apps.plans.admin import plans, usage

__all__ = ["plans", "usage"]
