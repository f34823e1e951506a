"""What this app registers with those below it: types of events, kinds of operations, what is counted,
what is forgotten."""

from apps.accounts.services.personal_data import declare_obstacle, declare_section
from apps.audit.services.retention import forget_old_acts
from apps.common.metering import declare_gauge
from apps.events.services import declare_event
from apps.operations.services.kinds import Step, register_kind
from apps.operations.services.limits import set_running_limit
from apps.workspaces.selectors.memberships import count_places
from apps.workspaces.selectors.running import running_limit_of
from apps.workspaces.services import provisioning, purge, slots
from apps.workspaces.services.erasure import memberships_of_person, obstacles_to_erasure
from apps.workspaces.services.retention import register_retention

declare_event("workspace.created", "A workspace has its schema and can be used")
declare_event("workspace.imported", "A workspace was made of an archive; data.source says of which")
declare_event("workspace.updated", "Settings of a workspace were changed; data.changes names them")
declare_event("workspace.plan_changed", "An operator put a workspace on another plan; data.plan is its code")
declare_event("workspace.suspended", "An operator suspended a workspace; data.reason says why")
declare_event("workspace.activated", "A suspended workspace can be used again")
declare_event("workspace.transferred", "A workspace has another owner")
declare_event("workspace.closing", "A workspace was closed; until data.purge_after it can be restored")
declare_event("workspace.closed", "A closing workspace has come to rest")
declare_event("workspace.restored", "A closed workspace can be used again")
declare_event("workspace.purged", "A workspace and all its data are gone")
declare_event("member.joined", "Somebody accepted an invitation and became a member")
declare_event("member.changed", "A member's role was changed, or the member was suspended or reactivated")
declare_event("member.left", "A member left or was removed")
declare_event("invitation.created", "Somebody was invited by e-mail")
declare_event("role.changed", "A role of the workspace's own was made, changed or deleted")
declare_event("service_account.created", "A service account was made")
declare_event("service_account.removed", "A service account was removed")

declare_gauge("members", count_places)
set_running_limit(running_limit_of)

register_retention("audit.workspace", forget_old_acts)

declare_obstacle(obstacles_to_erasure)
declare_section("memberships", memberships_of_person)

register_kind(
    "workspaces.make_slot",
    title="Make a schema for the pool",
    target_kind="schema_slot",
    steps=[Step("make_schema", slots.make_schema_step, "Making the tables.")],
    on_failed=slots.give_up_slot,
)
register_kind(
    "workspaces.finish",
    title="Finish a workspace",
    target_kind="workspace",
    group="workspace",
    steps=[
        Step("make_schema", provisioning.make_schema_step, "Making the workspace's tables.", cancelable=False),
        Step("open", provisioning.open_step, "Opening the workspace.", cancelable=False),
    ],
    on_failed=provisioning.mark_failed,
    on_retried=provisioning.mark_provisioning,
)
register_kind(
    "workspaces.purge",
    title="Delete a closed workspace",
    target_kind="workspace",
    group="workspace",
    steps=purge.purge_steps,
)
