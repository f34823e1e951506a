"""Included in a worker: its restores die by SIGKILL where DIE_AT says (``step before``, ``step after``, ``mid-swap``),
at their first attempt only."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.utils import timezone

from apps.databases.models import Backup
from apps.databases.services.restores import loading, steps, swapping
from apps.databases.tests.test_swap import address, ask
from apps.operations.services.kinds import Step, StepContext

DIE_AT = os.environ.get("DIE_AT", "")
PLAIN = Path(os.environ.get("PLAIN_DUMPS", "/nonexistent"))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(step: Step) -> Step:
    def run(context: StepContext) -> Any:
        if f"{step.name} before" == DIE_AT and context.attempt == 1:
            _die()
        if DIE_AT == "mid-swap" and step.name == "swap" and context.attempt == 1:
            swapping.exchange = lambda *_args, **_options: _die()  # type: ignore[assignment]
        result = step.run(context)
        if f"{step.name} after" == DIE_AT and context.attempt == 1:
            _die()
        return result

    return replace(step, run=run)


for list_ in (steps.RESTORE_STEPS, steps.COPY_STEPS, steps.SWAP_BACK_STEPS):
    list_[:] = [_dying(step) for step in list_]


def fetch_dump(backup: Backup, path: Path, *, watch: Any) -> None:
    path.write_bytes((PLAIN / str(backup.pk)).read_bytes())


def compare(context: Any, backup: Backup, server: Any, name: str) -> dict[str, Any]:
    return {"tables": 1, "rows": ask(name, "SELECT count(*) FROM app.note")[0][0]}


def back_up_now(context: Any, database: Any) -> Any:
    backup = Backup.objects.create(
        database=database,
        workspace_id=database.workspace_id,
        kind="before_restore",
        status="stored",
        storage_key=uuid4().hex,
        started_at=timezone.now(),
        revision=database.revision,
    )
    subprocess.run(["pg_dump", "-Fc", "-Z0", "-f", str(PLAIN / str(backup.pk)), address(database.name)], check=True)
    return backup.pk


loading.fetch_dump = fetch_dump
steps.require_manifest = lambda _backup: None  # type: ignore[assignment]
steps.compare_with_manifest = compare
steps.back_up_now = back_up_now
