"""The permission codes of workspace databases and their backups."""

from apps.common.permissions import declare
from apps.operations.services.rights import declare_right

declare("databases.view", "See the workspace's database", roles=["admin", "developer", "operator", "viewer"])
declare("databases.query", "Read the database with SQL", roles=["admin", "developer"])
declare("databases.write", "Change rows of the database with SQL", roles=["admin", "developer"])
declare("databases.migrate", "Change the database's tables by migrations", roles=["admin", "developer"])
declare("databases.credentials", "See the database's login", roles=["admin", "developer"])
declare("databases.manage", "Make and delete the database, rotate its login", roles=["admin"])
declare("backups.view", "See backups", roles=["admin", "developer", "operator", "viewer"])
declare("backups.create", "Make and prove backups", roles=["admin", "developer", "operator"])
declare("backups.manage", "Change the backup schedule, delete backups", roles=["admin"])
declare("backups.download", "Download backups", roles=["admin"])
declare("backups.restore", "Restore the database from a backup", roles=["admin"])

declare_right(
    "databases.manage",
    "databases.provision",
    "databases.delete",
    "databases.rotate",
    "databases.retire",
    "databases.admit",
)
declare_right("databases.migrate", "databases.migrate")
declare_right("backups.create", "databases.backup", "databases.prove")
declare_right("backups.restore", "databases.restore", "databases.restore_copy", "databases.swap_back")
