"""The permission codes of a workspace, its members and their roles."""

from apps.common.permissions import declare
from apps.operations.services.rights import declare_right

declare("workspace.view", "See the workspace and its settings", roles=["admin", "developer", "operator", "viewer"])
declare("workspace.update", "Change the workspace's name, settings and default app", roles=["admin"])
declare("workspace.close", "Close the workspace, and undo it while its data are kept")
declare("workspace.transfer", "Hand the workspace over to another owner")
declare("members.view", "See who belongs to the workspace", roles=["admin", "developer", "operator", "viewer"])
declare("members.manage", "Invite people, change their roles, suspend and remove them", roles=["admin"])
declare("roles.manage", "Make and change the workspace's own roles", roles=["admin"])

declare_right("workspace.update", "workspaces.finish")
declare_right("workspace.close", "workspaces.purge")
