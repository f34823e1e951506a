"""What can go wrong with databases, their servers and backups."""

from apps.common.errors import Conflict, NotFound, Unavailable


class DatabaseNotFound(NotFound):
    """The workspace has no database."""

    code = "database_not_found"
    detail = "This workspace has no database. Make one first: POST …/database."


class DatabaseExists(Conflict):
    """A workspace has one database at most."""

    code = "database_exists"
    detail = "This workspace has a database already."


class DatabaseNotReady(Conflict):
    """The database is being made, has failed, or is being deleted."""

    code = "database_not_ready"


class NoServerAvailable(Conflict):
    """No server takes new databases now."""

    code = "no_server_available"
    detail = "No database server has room now. An operator has to add one."


class BackupNotFound(NotFound):
    """No such backup of this workspace."""

    code = "backup_not_found"
    detail = "There is no backup with this id."


class SessionsRemain(Unavailable):
    """Sessions of a fenced database don't end; its swap is tried again."""

    code = "database_in_use"


class FenceLifted(Unavailable):
    """Clients were let in again before the databases were swapped; the swap is tried again."""

    code = "fence_lifted"
    detail = "The database was opened again before it was replaced."


class SwapImpossible(Conflict):
    """The databases of a swap are not, or not any more, what they have to be."""

    code = "database_changed"


class DumpNotRestorable(Conflict):
    """``pg_restore`` refused the dump, or the server what is in it; the detail has their sentence."""

    code = "dump_not_restorable"
