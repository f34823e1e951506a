"""The states of database servers, workspace databases and backups."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class ServerStatus(TextChoices):
    ACTIVE = "active", "Active"
    DRAINING = "draining", "Draining"
    OFFLINE = "offline", "Offline"


class DatabaseStatus(TextChoices):
    PROVISIONING = "provisioning", "Provisioning"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    DELETING = "deleting", "Deleting"
    DELETED = "deleted", "Deleted"


class BackupStatus(TextChoices):
    RUNNING = "running", "Running"
    STORED = "stored", "Stored"
    PROVED = "proved", "Proved restorable"
    FAILED = "failed", "Failed"
    UNUSABLE = "unusable", "Unusable"
    EXPIRED = "expired", "Expired"


_S, _D, _B = ServerStatus, DatabaseStatus, BackupStatus

SERVER_TRANSITIONS = Transitions(
    _S,
    {
        _S.ACTIVE: {_S.DRAINING, _S.OFFLINE},
        _S.DRAINING: {_S.ACTIVE, _S.OFFLINE},
        _S.OFFLINE: {_S.ACTIVE, _S.DRAINING},
    },
)
DATABASE_TRANSITIONS = Transitions(
    _D,
    {
        _D.PROVISIONING: {_D.READY, _D.FAILED},
        _D.FAILED: {_D.PROVISIONING, _D.DELETING},
        _D.READY: {_D.DELETING},
        _D.DELETING: {_D.READY, _D.DELETED},
        _D.DELETED: set(),
    },
)
BACKUP_TRANSITIONS = Transitions(
    _B,
    {
        _B.RUNNING: {_B.STORED, _B.FAILED},
        _B.STORED: {_B.PROVED, _B.UNUSABLE, _B.EXPIRED},
        _B.PROVED: {_B.UNUSABLE, _B.EXPIRED},
        _B.FAILED: set(),
        _B.UNUSABLE: set(),
        _B.EXPIRED: set(),
    },
)

#: Databases that exist, or come to exist: a workspace has one of these at most.
PRESENT = frozenset({_D.PROVISIONING, _D.READY, _D.FAILED, _D.DELETING})
#: Backups from which one can restore.
USABLE = frozenset({_B.STORED, _B.PROVED})
