"""The types of event, and what is counted, of workspaces and their members."""

from apps.common.metering import declare_gauge
from apps.events.services import declare_event
from apps.workspaces.selectors.memberships import count_members

declare_event("member.joined", "Somebody accepted an invitation and became a member")
declare_event("member.changed", "A member's role was changed, or the member was suspended or reactivated")
declare_event("member.left", "A member left or was removed")
declare_event("invitation.created", "Somebody was invited by e-mail")
declare_event("role.changed", "A role of the workspace's own was made, changed or deleted")
declare_event("service_account.created", "A service account was made")
declare_event("service_account.removed", "A service account was removed")

declare_gauge("members", count_members)
