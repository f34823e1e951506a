"""What this app registers with those below it: what is forgotten in workspaces."""

from apps.runtime.services.retention import forget_old_events, forget_old_sessions
from apps.workspaces.services.retention import register_retention

register_retention("runtime.events", forget_old_events)
register_retention("runtime.sessions", forget_old_sessions)
