"""What databases register with the apps below: their sealed fields."""

from apps.secrets.services import declare_sealed_field

declare_sealed_field("databases.DatabaseServer", "admin_dsn")
declare_sealed_field("databases.WorkspaceDatabase", "secret")
declare_sealed_field("databases.WorkspaceDatabase", "next_secret")
declare_sealed_field("databases.Backup", "sealed_key")
