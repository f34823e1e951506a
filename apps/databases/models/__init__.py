from apps.databases.models.backup import Backup, BackupSchedule
from apps.databases.models.kept_database import KeptDatabase
from apps.databases.models.migration import MigrationRequest, SchemaMigration
from apps.databases.models.restore import Restore
from apps.databases.models.server import DatabaseServer
from apps.databases.models.workspace_database import WorkspaceDatabase

__all__ = [
    "Backup",
    "BackupSchedule",
    "DatabaseServer",
    "KeptDatabase",
    "MigrationRequest",
    "Restore",
    "SchemaMigration",
    "WorkspaceDatabase",
]
