"""What billing registers with the apps below: types of events, what waits in workspaces, kinds of operations, and the
limits of what they make."""

from datetime import timedelta

from django.apps import apps

from apps.billing.services import levels
from apps.billing.services.holds import HOLD_KIND, check_hold
from apps.billing.services.leases import DUE_KIND as LEASES
from apps.billing.services.leases import sweep_leases
from apps.billing.services.plan_changes import KIND as APPLY_PLAN
from apps.billing.services.plan_changes import apply_plan_step
from apps.billing.services.reservations import DUE_KIND as RESERVATION
from apps.billing.services.reservations import expire_reservation
from apps.billing.services.upkeep import RECONCILIATION, UPKEEP, keep_quotas, prove_quotas
from apps.common.archiving import leave_out_rows
from apps.common.metering import set_quota_keeper
from apps.events.services import declare_event
from apps.operations.services.kinds import Step, register_kind
from apps.plans.services.usage import forget_usage
from apps.workspaces.services.due_work import register_due_kind
from apps.workspaces.services.purge import register_purge_step

declare_event("quota.threshold_reached", "Use reached data.threshold percent of a limit; once per period")
declare_event("quota.grace_started", "A limit is below what is used; until data.grace_until the former one holds")
declare_event("quota.grace_ended", "The limit holds again; data.over says whether more than it is used")

register_due_kind(RESERVATION, expire_reservation)
register_due_kind(LEASES, sweep_leases)
register_due_kind(HOLD_KIND, check_hold)
register_purge_step("usage", "Forgetting what was used.", lambda workspace: forget_usage(workspace_id=workspace.id))
register_due_kind(UPKEEP, keep_quotas)
register_due_kind(RECONCILIATION, prove_quotas)

register_kind(
    APPLY_PLAN,
    title="Apply a plan's limit",
    target_kind="plan_limit",
    steps=[
        Step(
            "apply", apply_plan_step, "Giving the workspaces on the plan its new limit.", time_limit=timedelta(hours=1)
        )
    ],
)

set_quota_keeper(levels)

for _model in apps.get_app_config("billing").get_models():
    leave_out_rows(_model._meta.db_table, why="Use belongs to the installation; a copy has quotas of its own plan.")
