from apps.workspaces.models.due_work import DueWork
from apps.workspaces.models.invitation import Invitation
from apps.workspaces.models.membership import Membership, Role
from apps.workspaces.models.slot import SchemaSlot
from apps.workspaces.models.workspace import SlugHold, Workspace

__all__ = ["DueWork", "Invitation", "Membership", "Role", "SchemaSlot", "SlugHold", "Workspace"]
