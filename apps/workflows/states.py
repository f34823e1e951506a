"""The states of a run and of its steps."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class RunStatus(TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"


class StepStatus(TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


_R = RunStatus

RUN_TRANSITIONS = Transitions(
    _R,
    {
        _R.QUEUED: {_R.RUNNING, _R.CANCELED},
        _R.RUNNING: {_R.SUCCEEDED, _R.FAILED, _R.CANCELED, _R.WAITING, _R.QUEUED},
        _R.WAITING: {_R.RUNNING, _R.FAILED, _R.CANCELED},
        _R.FAILED: {_R.QUEUED},
        _R.SUCCEEDED: set(),
        _R.CANCELED: set(),
    },
)
