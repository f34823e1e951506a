"""The permission codes of workflows and their runs."""

from apps.common.permissions import declare

declare("workflows.view", "See workflows", roles=["admin", "developer", "operator", "viewer"])
declare("workflows.edit", "Make, change and delete workflows", roles=["admin", "developer"])
declare("workflows.run", "Run workflows", roles=["admin", "developer", "operator"])
declare("runs.view", "See runs, their inputs and their results", roles=["admin", "developer", "operator"])
