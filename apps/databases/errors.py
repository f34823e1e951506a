"""What can go wrong with databases, their servers and backups."""

from typing import Any

from apps.common.errors import Conflict, FieldError, InvalidInput, NotFound, RateLimited, Unavailable


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
    """Sessions that are to end don't: of a fenced database, or of a login that is retired. It is tried again."""

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


class WorkspaceDatabaseUnavailable(Unavailable):
    """The workspace's database doesn't answer, or ended the session."""

    code = "database_unavailable"
    detail = "The workspace's database doesn't answer now. Try again shortly."


class StatementFailed(InvalidInput):
    """PostgreSQL refused a statement: ``sqlstate`` and, where it says so, ``position`` (characters, from 1)."""

    code = "statement_failed"

    def __init__(self, detail: str, *, sqlstate: str, position: int | None = None, **more: str | None) -> None:
        said = {name: value for name, value in more.items() if value}
        extra: dict[str, Any] = {"sqlstate": sqlstate, **said}
        if position is not None:
            extra["position"] = position
        super().__init__(detail, errors=[FieldError("/sql", "statement_failed", detail)], **extra)
        self.sqlstate = sqlstate
        self.position = position


class StatementTimeout(InvalidInput):
    """A statement took too long and was ended."""

    code = "statement_timeout"


class StatementNotAllowed(InvalidInput):
    """A statement of a kind that can't be run here."""

    code = "statement_not_allowed"


class ResultTooLarge(InvalidInput):
    """A statement that changes rows returned more than an answer can hold; it was undone."""

    code = "result_too_large"
    detail = "The statement returned more than an answer can hold, so it was undone. Return fewer or smaller rows."


class MigrationChanged(Conflict):
    """A migration that was applied came back with another text; ``version`` says which."""

    code = "migration_changed"


class MigrationOutOfOrder(Conflict):
    """A new migration has a version below what is applied already."""

    code = "migration_out_of_order"


class MigrationFailed(InvalidInput):
    """A migration's SQL didn't run: ``version``, and where it is known ``statement`` (from 1), ``line``,
    ``sqlstate``."""

    code = "migration_failed"


class TooManyQueries(RateLimited):
    """The workspace has as many statements under way as it may."""

    code = "too_many_queries"
    detail = "The workspace has as many statements under way as it may. Wait for one of them to end."


class ServerUnavailable(Unavailable):
    """A database server doesn't answer."""

    code = "database_server_unavailable"
    detail = "The database server doesn't answer now."


class LoginRefused(Unavailable):
    """A database server answers, and lets nobody in with this login."""

    code = "database_login_refused"


class ProgramMissing(Conflict):
    """No program of PostgreSQL here that is as new as the server and of a safe release."""

    code = "postgresql_program_missing"


class ServerUnsafe(Conflict):
    """The server's PostgreSQL has a known hole that what is asked for would open; the detail says which."""

    code = "database_server_unsafe"


class UnfitServer(InvalidInput):
    """A server on which workspaces' databases can't live; ``errors`` says what is missing."""

    code = "unfit_server"
    detail = "Workspaces' databases can't live on this server; see errors."


class RotationUnderWay(Conflict):
    """The login before the published one still lets clients in; ``sessions`` says who uses it, until ``until``."""

    code = "rotation_under_way"
    detail = "The last rotation isn't over: the login before still lets clients in."


class GraceOver(Conflict):
    """The grace of a deletion is over: the data have begun to go."""

    code = "grace_over"
    detail = "The grace is over: this database has begun to be deleted."


class BackupNotUsable(Conflict):
    """The backup isn't finished, has failed, was found broken, or has expired."""

    code = "backup_not_usable"


class LargeObjectsThere(Conflict):
    """The database has large objects, which a proof can't compare. A workspace can't make any."""

    code = "large_objects_there"
    detail = "The database has large objects, which can't be backed up. An operator has made them; move or unlink them."


class NoRoomForDump(Unavailable):
    """The temporary file of a restore can't be written; tried again."""

    code = "no_room_for_dump"


class RestoreUnderWay(Conflict):
    """Another restore of this database waits or runs."""

    code = "restore_under_way"
    detail = "Another restore of this database is under way. Wait for its end, or cancel it."


class RestoreClearedAway(Conflict):
    """What a failed restore had made is gone; it can't go on from where it failed."""

    code = "restore_cleared_away"
    detail = "What this restore had made was cleared away. Start another one."


class KeptDatabaseNotFound(NotFound):
    """No such kept database of this workspace."""

    code = "kept_database_not_found"
    detail = "There is no kept database with this id."


class KeptDatabaseInUse(Conflict):
    """The kept database is being put back."""

    code = "kept_database_in_use"
    detail = "This database is being put back."


class BackupBroken(Conflict):
    """What is in the storage isn't what was stored; the detail says what differs."""

    code = "backup_broken"


class BackupFileMissing(BackupBroken):
    """A file of a backup isn't in the storage."""

    code = "backup_file_missing"
    detail = "A file of this backup is missing in the storage."


class BackupNeeded(Conflict):
    """The last proved backup of a database that exists can't be deleted."""

    code = "last_proved_backup"
    detail = "This is the last backup that was proved restorable. Prove a newer one first."


class BackupInUse(Conflict):
    """A backup that is being made, proved or restored can't be deleted."""

    code = "backup_in_use"
    detail = "This backup is being made or used. Wait for that to end, or cancel it."


class DumpFailed(Unavailable):
    """``pg_dump`` ended badly; the detail has its own sentence. Tried again."""

    code = "dump_failed"


class StorageUnavailable(Unavailable):
    """The storage of backups doesn't answer, or refuses."""

    code = "backup_storage_unavailable"
    detail = "The storage of backups doesn't answer now."


class StorageFull(Unavailable):
    """The storage of backups has no room left."""

    code = "backup_storage_full"
    detail = "The storage of backups is full. An operator has to make room."


class VersionsDontFit(Conflict):
    """A backup that the server, or the programs here, are too old for."""

    code = "versions_do_not_fit"
