"""Wake-ups for operations; the rows are the truth."""

from __future__ import annotations

import os
import socket
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.operations.services.engine import run_operation
from apps.operations.services.retention import forget_finished_operations
from apps.operations.services.sweep import sweep_operations
from apps.operations.services.tallies import fold_tallies


@shared_task(name="operations.run")
def run(operation: str) -> None:
    run_operation(operation_id=UUID(operation), owner=f"{socket.gethostname()}:{os.getpid()}", clock=timezone.now)


@shared_task(name="operations.sweep")
def sweep() -> None:
    sweep_operations(now=timezone.now())


@shared_task(name="operations.forget_finished")
def forget_finished() -> None:
    forget_finished_operations(now=timezone.now())


@shared_task(name="operations.fold_tallies")
def fold() -> None:
    fold_tallies()
