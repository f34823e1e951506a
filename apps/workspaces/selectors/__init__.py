from apps.workspaces.selectors.directory import find_workspace, slot_counts, workspace_counts, workspaces_of
from apps.workspaces.selectors.visits import VisitedWorkspace, find_visited_workspace

__all__ = [
    "VisitedWorkspace",
    "find_visited_workspace",
    "find_workspace",
    "slot_counts",
    "workspace_counts",
    "workspaces_of",
]
