"""What databases register with the apps below: sealed fields, types of events, kinds of operations, what is counted."""

from apps.common.metering import declare_gauge
from apps.databases.selectors.databases import count_databases
from apps.databases.services import provisioning
from apps.events.services import declare_event
from apps.operations.services.kinds import Step, register_kind
from apps.secrets.services import declare_sealed_field

declare_sealed_field("databases.DatabaseServer", "admin_dsn")
declare_sealed_field("databases.WorkspaceDatabase", "secret")
declare_sealed_field("databases.WorkspaceDatabase", "next_secret")
declare_sealed_field("databases.Backup", "sealed_key")

declare_event("database.restored", "A database was replaced; data.missing_migrations names those that it had before")
declare_event("database.copied", "A backup was restored beside the live database, under the name in data.name")
declare_event("database.created", "A workspace's database can be used")

declare_gauge("databases", count_databases)

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
