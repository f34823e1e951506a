"""The types of event of API keys."""

from apps.events.services import declare_event

declare_event("api_key.changed", "A key was made, rotated or revoked; data.change says which")
