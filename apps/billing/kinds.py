"""What billing registers with the apps below: types of events, and what waits in workspaces."""

from apps.billing.services.reservations import DUE_KIND, expire_reservation
from apps.events.services import declare_event
from apps.workspaces.services.due_work import register_due_kind

declare_event("quota.threshold_reached", "Use reached data.threshold percent of a limit; once per period")
declare_event("quota.grace_started", "A limit is below what is used; until data.grace_until the former one holds")
declare_event("quota.grace_ended", "The limit holds again; data.over says whether more than it is used")

register_due_kind(DUE_KIND, expire_reservation)
