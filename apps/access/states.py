"""The states of an API key."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class ApiKeyStatus(TextChoices):
    ACTIVE = "active", "Active"
    REVOKED = "revoked", "Revoked"


API_KEY_TRANSITIONS = Transitions(
    ApiKeyStatus, {ApiKeyStatus.ACTIVE: {ApiKeyStatus.REVOKED}, ApiKeyStatus.REVOKED: set()}
)
