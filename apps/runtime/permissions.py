"""The permission codes of what visitors did."""

from apps.common.permissions import declare

declare(
    "runtime.view",
    "See who visited an app, and what happened",
    roles=["admin", "developer", "operator", "viewer"],
)
