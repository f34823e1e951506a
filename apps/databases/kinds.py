"""What databases register with the apps below: their sealed fields, types of events."""

from apps.events.services import declare_event
from apps.secrets.services import declare_sealed_field

declare_sealed_field("databases.DatabaseServer", "admin_dsn")
declare_sealed_field("databases.WorkspaceDatabase", "secret")
declare_sealed_field("databases.WorkspaceDatabase", "next_secret")
declare_sealed_field("databases.Backup", "sealed_key")

declare_event("database.restored", "A database was replaced; data.missing_migrations names those that it had before")
declare_event("database.copied", "A backup was restored beside the live database, under the name in data.name")
