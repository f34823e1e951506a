from apps.access.models.api_key import ApiKey
from apps.access.models.decision import Decision

__all__ = ["ApiKey", "Decision"]
