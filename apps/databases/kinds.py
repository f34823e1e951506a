"""What databases register with the apps below: sealed fields, types of events, kinds of operations, what is counted."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.common.metering import declare_gauge
from apps.databases.selectors.databases import count_databases, used_bytes
from apps.databases.services import deletion, forgetting, migration_steps, provisioning, rotation
from apps.databases.services.backups import expiry, proving
from apps.databases.services.backups import steps as backups
from apps.databases.services.backups.requests import stored_bytes
from apps.databases.services.migration_requests import KIND as MIGRATE
from apps.databases.services.restores.requests import end_restore, fail_restore, revive_restore
from apps.databases.services.restores.steps import COPY_STEPS, RESTORE_STEPS, SWAP_BACK_STEPS
from apps.events.services import declare_event
from apps.operations.services.kinds import Step, register_kind
from apps.secrets.services import declare_sealed_field
from apps.workspaces.services.purge import register_purge_step

declare_sealed_field("databases.DatabaseServer", "admin_dsn")
declare_sealed_field("databases.WorkspaceDatabase", "secret")
declare_sealed_field("databases.WorkspaceDatabase", "next_secret")
declare_sealed_field("databases.Backup", "sealed_key")

declare_event("database.restored", "A database was replaced; data.missing_migrations names those that it had before")
declare_event("database.copied", "A backup was restored beside the live database, under the name in data.name")
declare_event("database.created", "A workspace's database can be used")
declare_event("database.rotated", "A workspace's database has another login; data.login names it")
declare_event("database.deleting", "A database was closed; until data.delete_after its deletion can be undone")
declare_event("backup.stored", "A backup of the workspace's database is stored; data.kind says why it was made")
declare_event("backup.proved", "A backup was restored into a scratch database and is what was backed up")
declare_event("backup.unusable", "A backup can't be restored; data.reason says why")
declare_event("backup.refused", "A scheduled backup could not be made; data.code and data.detail say why")
declare_event("database.deleted", "A database is gone from its server; its backups are kept as long as they would be")

declare_event("database.migrated", "Migrations were applied; data.revision is the last one")
declare_event("database.over_limit", "The database is larger than its limit: INSERT and UPDATE are refused")
declare_event("database.below_limit", "The database is below its limit again: INSERT and UPDATE are allowed")
declare_event("database.session_ended", "A session of the workspace's login took too long; data.why says for what")

declare_gauge("databases", count_databases)
declare_gauge("database.bytes", used_bytes)
declare_gauge("backup.bytes", stored_bytes)

# Whatever changes a database as a whole is of the group "database": one at a time.
register_kind(
    "databases.provision",
    title="Make a database",
    target_kind="database",
    group="database",
    queue="databases",
    steps=[
        Step("make_roles", provisioning.make_roles_step, "Making the database's roles."),
        Step("make_database", provisioning.make_database_step, "Making the database."),
        Step("establish", provisioning.establish_step, "Granting what each role may."),
        Step("publish", provisioning.publish_step, "Opening the database.", cancelable=False),
    ],
    on_failed=provisioning.mark_failed,
    on_canceled=provisioning.mark_failed,
    on_retried=provisioning.mark_provisioning,
)
register_kind(
    MIGRATE,
    title="Migrate a database",
    target_kind="database",
    group="database",
    queue="databases",
    steps=[
        Step(
            "backup",
            migration_steps.back_up_first,
            "Backing up what is there.",
            time_limit=settings.BACKUP_TIME_LIMIT,
        ),
        Step("apply", migration_steps.apply_migrations, "Applying the migrations.", time_limit=timedelta(hours=2)),
        Step("settle", migration_steps.settle_migrations, "Granting and measuring what is new."),
    ],
    on_failed=migration_steps.give_up_migrations,
    on_canceled=migration_steps.give_up_migrations,
    on_retried=migration_steps.reserve_again,
)
register_kind(
    "databases.delete",
    title="Delete a database",
    target_kind="database",
    group="database",
    queue="databases",
    steps=[
        Step("begin", deletion.begin_step, "Making sure that the grace period is over.", cancelable=False),
        Step("drop", deletion.drop_step, "Deleting the database and its roles.", cancelable=False),
        Step("forget", deletion.forget_step, "Erasing its secrets.", cancelable=False),
    ],
)
# What concerns the logins alone doesn't wait for a backup or a restore, which can take long.
register_kind(
    "databases.rotate",
    title="Rotate a database's login",
    target_kind="database",
    group="database_logins",
    queue="databases",
    steps=[
        Step("prepare", rotation.prepare_step, "Giving the other login a new password."),
        Step("probe", rotation.probe_step, "Trying the new password."),
        Step("publish", rotation.publish_step, "Publishing the other login.", cancelable=False),
    ],
)
register_kind(
    "databases.retire",
    title="Retire a database's login",
    target_kind="database",
    group="database_logins",
    queue="databases",
    steps=[Step("retire", rotation.retire_step, "Taking the old login's password away.", cancelable=False)],
)
register_kind(
    "databases.admit",
    title="Open or close a database to its logins",
    target_kind="database",
    group="database_logins",
    queue="databases",
    steps=[Step("admit", deletion.admit_step, "Opening or closing the database.", cancelable=False)],
)
# Backups exclude each other. They wait neither for a restore nor for a rotation: a dump sees one moment, and a swap of
# databases ends it, so that it is made again.
register_kind(
    "databases.backup",
    title="Back up a database",
    target_kind="database",
    group="database_backup",
    queue="backups",
    steps=[
        Step("check", backups.check_step, "Checking versions and storage."),
        Step("dump", backups.dump_step, "Dumping, compressing and sealing.", time_limit=settings.BACKUP_TIME_LIMIT),
        Step("verify", backups.verify_step, "Reading back what was stored.", time_limit=settings.BACKUP_TIME_LIMIT),
        Step("manifest", backups.manifest_step, "Writing the manifest."),
        Step("record", backups.record_step, "Writing down the backup.", cancelable=False),
    ],
    on_failed=backups.give_up,
    on_canceled=backups.give_up,
    on_retried=backups.refuse_retry,
)
register_kind(
    "databases.prove",
    title="Prove a backup",
    target_kind="backup",
    queue="backups",
    steps=[
        Step("check", proving.check_step, "Checking versions."),
        Step("load", proving.load_step, "Restoring into a scratch database.", time_limit=settings.BACKUP_TIME_LIMIT),
        Step("compare", proving.compare_step, "Comparing every table.", time_limit=settings.BACKUP_TIME_LIMIT),
        Step("clear", proving.clear_step, "Dropping the scratch database."),
        Step("record", proving.record_step, "Writing down what was found.", cancelable=False),
    ],
)
# In this order: a database that isn't there any more has no backup made of it.
register_purge_step(
    "databases",
    "Deleting the workspace's database.",
    lambda workspace: deletion.purge_databases(workspace_id=workspace.id, now=timezone.now()),
)
register_purge_step(
    "backups",
    "Deleting the backups of the workspace's database.",
    lambda workspace: expiry.purge_backups(workspace_id=workspace.id),
)
register_purge_step(
    "database_records",
    "Deleting what was written down about the workspace's database.",
    lambda workspace: forgetting.forget_databases_of(workspace.id),
)

for name, title, steps in (
    ("databases.restore", "Restore a backup", RESTORE_STEPS),
    ("databases.restore_copy", "Restore a copy of a backup", COPY_STEPS),
    ("databases.swap_back", "Put a kept database back", SWAP_BACK_STEPS),
):
    register_kind(
        name,
        title=title,
        target_kind="database",
        group="database",
        queue="backups",
        steps=steps,
        on_failed=fail_restore,
        on_canceled=end_restore,
        on_retried=revive_restore,
    )
