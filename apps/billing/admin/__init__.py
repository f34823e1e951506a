"""Quotas, use and the ledger in a workspace's console; limits, plans and overrides in the operators'."""

from apps.billing.admin import ledger, limits, quotas, workspaces

__all__ = ["ledger", "limits", "quotas", "workspaces"]
