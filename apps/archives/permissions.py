"""The permission code of archives."""

from apps.common.permissions import declare
from apps.operations.services.rights import declare_right

declare("workspace.export", "Export the workspace as a file, and download what was exported", roles=["admin"])
declare_right("workspace.export", "workspaces.export")
