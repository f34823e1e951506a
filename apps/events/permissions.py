"""The permission codes of events."""

from apps.common.permissions import declare

declare("events.view", "Read what happened in the workspace", roles=["admin", "developer", "operator"])
