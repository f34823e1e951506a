from apps.applications.selectors.visits import VisitedApp, VisitPolicy, find_visited_app, read_definition

__all__ = ["VisitPolicy", "VisitedApp", "find_visited_app", "read_definition"]
