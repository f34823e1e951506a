"""The permission code of archives."""

from apps.common.permissions import declare

declare("workspace.export", "Export the workspace as a file, and download what was exported", roles=["admin"])
