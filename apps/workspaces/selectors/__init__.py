from apps.workspaces.selectors.visits import VisitedWorkspace, find_visited_workspace

__all__ = ["VisitedWorkspace", "find_visited_workspace"]
