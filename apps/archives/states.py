"""The states of exports and imports."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class ExportStatus(TextChoices):
    MAKING = "making", "Making"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"


class ImportStatus(TextChoices):
    RECEIVED = "received", "Received"
    IMPORTED = "imported", "Imported"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"


_E, _I = ExportStatus, ImportStatus

EXPORT_TRANSITIONS = Transitions(
    _E,
    {
        _E.MAKING: {_E.READY, _E.FAILED},
        _E.READY: {_E.EXPIRED},
        _E.FAILED: {_E.MAKING, _E.EXPIRED},
        _E.EXPIRED: set(),
    },
)

IMPORT_TRANSITIONS = Transitions(
    _I,
    {
        _I.RECEIVED: {_I.IMPORTED, _I.FAILED},
        _I.IMPORTED: set(),
        _I.FAILED: {_I.RECEIVED, _I.EXPIRED},
        _I.EXPIRED: set(),
    },
)
