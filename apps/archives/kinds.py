"""What archives register: their kinds of operations, what goes with a purged workspace, their sealed keys."""

from django.conf import settings

from apps.archives.services import exports, imports
from apps.archives.services.forgetting import discard_archives
from apps.events.services import declare_event
from apps.operations.services.kinds import Step, register_kind
from apps.secrets.services import declare_sealed_field
from apps.workspaces.services.purge import register_purge_step

#: The largest archive takes longer than most work.
_LONG = settings.ARCHIVE_STEP_TIME_LIMIT

declare_event("workspace.exported", "An archive of the workspace is ready; data.export names it")

register_kind(
    "workspaces.export",
    title="Export a workspace",
    target_kind="workspace",
    group="workspace",
    queue="backups",
    steps=[
        Step("write", exports.write_step, "Writing the archive.", time_limit=_LONG),
        Step("prove", exports.prove_step, "Reading it back.", time_limit=_LONG),
    ],
    on_failed=exports.give_up_export,
    on_canceled=exports.give_up_export,
    on_retried=exports.take_up_export,
)
register_kind(
    "workspaces.import",
    title="Import a workspace",
    target_kind="workspace_import",
    queue="backups",
    steps=[
        Step("check", imports.check_step, "Checking the archive.", time_limit=_LONG),
        Step("load", imports.load_step, "Loading its rows.", cancelable=False, time_limit=_LONG),
        Step("tidy", imports.tidy_step, "Deleting the archive.", cancelable=False),
    ],
    on_failed=imports.give_up_import,
    on_canceled=imports.give_up_import,
    on_retried=imports.take_up_import,
)
register_purge_step("archives", "Deleting its archives.", lambda workspace: discard_archives(workspace.id))
declare_sealed_field("archives.WorkspaceExport", "sealed_key", bound_field="archive")
declare_sealed_field("archives.WorkspaceImport", "sealed_key", bound_field="archive")
