"""The states of an operation."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class OperationStatus(TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"


_S = OperationStatus


class Outcome(TextChoices):
    """What an attempt at an operation, or waiting for one, led to."""

    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"
    POSTPONED = "postponed", "Failed for now, to be tried again"


#: Those that nothing happens to any more, unless somebody retries a failed one.
FINISHED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELED})
PENDING = frozenset({_S.QUEUED, _S.RUNNING})

OPERATION_TRANSITIONS = Transitions(
    _S,
    {
        _S.QUEUED: {_S.RUNNING, _S.CANCELED},
        _S.RUNNING: {_S.SUCCEEDED, _S.FAILED, _S.CANCELED, _S.QUEUED},
        _S.FAILED: {_S.QUEUED},
        _S.SUCCEEDED: set(),
        _S.CANCELED: set(),
    },
)
