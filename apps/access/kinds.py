"""What access registers: the types of event of API keys, what goes with a purged workspace."""

from apps.access.services.decisions import forget_decisions_of
from apps.events.services import declare_event
from apps.workspaces.services.purge import register_purge_step

declare_event("api_key.changed", "A key was made, rotated or revoked; data.change says which")
register_purge_step("decisions", "Deleting why something was refused.", lambda gone: forget_decisions_of(gone.id))
