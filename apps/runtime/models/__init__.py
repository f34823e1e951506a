from apps.runtime.models.event import RuntimeEvent
from apps.runtime.models.session import Session

__all__ = ["RuntimeEvent", "Session"]
