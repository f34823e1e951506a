"""The permission codes of operations."""

from apps.common.permissions import declare

declare("operations.view", "See running and past operations", roles=["admin", "developer", "operator", "viewer"])
declare("operations.manage", "Cancel and retry operations", roles=["admin", "developer", "operator"])
