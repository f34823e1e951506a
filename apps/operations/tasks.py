"""Wake-ups for operations; the rows are the truth."""

from __future__ import annotations

import os
import socket
from typing import Any

from celery import shared_task
from celery.signals import task_postrun, task_prerun, worker_init, worker_shutting_down
from django.utils import timezone

from apps.operations.services.engine import run_next
from apps.operations.services.retention import forget_finished_operations, forget_idle_turns
from apps.operations.services.stopping import ask_to_stop, forget_to_stop, hold_work, release_work
from apps.operations.services.sweep import sweep_operations
from apps.operations.services.tallies import fold_tallies


@worker_init.connect
def begin(**kwargs: Any) -> None:
    forget_to_stop()


@worker_shutting_down.connect
def stop(how: str = "", **kwargs: Any) -> None:
    """SIGTERM: the processes of this worker finish or hand back the step in hand. SIGQUIT: they are ended."""
    ask_to_stop(at_once=how == "Cold")


@task_prerun.connect
def hold(**kwargs: Any) -> None:
    hold_work()


@task_postrun.connect
def release(**kwargs: Any) -> None:
    release_work()


@shared_task(name="operations.run")
def run(operation: str, for_queue: str = "default") -> None:
    """``operation`` is the one that the message was sent for; the one whose turn it is in the queue is carried out."""
    run_next(queue=for_queue, owner=f"{socket.gethostname()}:{os.getpid()}", clock=timezone.now)


@shared_task(name="operations.sweep")
def sweep() -> None:
    sweep_operations(now=timezone.now())


@shared_task(name="operations.forget_finished")
def forget_finished() -> None:
    forget_finished_operations(now=timezone.now())
    forget_idle_turns()


@shared_task(name="operations.fold_tallies")
def fold() -> None:
    fold_tallies()
