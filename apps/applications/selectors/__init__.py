from apps.applications.selectors.overview import app_overview
from apps.applications.selectors.visits import VisitedApp, VisitPolicy, find_visited_app, read_definition

__all__ = ["VisitPolicy", "VisitedApp", "app_overview", "find_visited_app", "read_definition"]
