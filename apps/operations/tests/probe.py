"""Kinds of operations for tests, registered in the test's process and, by ``--include``, in its workers.

What they do to the outside world is a row in a table that no transaction of the engine's touches.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from django.db import connection

from apps.common.errors import Unavailable
from apps.operations.errors import StepFailed
from apps.operations.services.kinds import Step, StepContext, find_kind, register_kind
from apps.operations.services.rights import declare_right


def make_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS probe_effect (operation uuid, step text, attempt int)")


def effects() -> list[str]:
    """The steps that were carried out, in order, each as often as it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT step FROM probe_effect ORDER BY ctid")
        return [row[0] for row in cursor.fetchall()]


def _note(context: StepContext, step: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO probe_effect VALUES (%s, %s, %s)", [context.operation_id, step, context.attempt])


def _first(context: StepContext) -> dict[str, Any]:
    _note(context, "first")
    return {"seen": context.target_id}


def _second(context: StepContext) -> dict[str, Any]:
    """Does what ``params`` asks for: dies, sleeps, fails."""
    _note(context, "second")
    behaviour = context.params.get("second", "")
    if (behaviour == "die" and context.attempt == 1) or behaviour == "die always":
        os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == "sleep":
        time.sleep(float(context.params["seconds"]))
    elif behaviour == "unavailable" and context.attempt < 3:
        raise Unavailable("The other side does not answer.", retry_after=1)
    elif behaviour == "refuse" and context.attempt == 1:
        raise StepFailed("The name is taken on the other side.", code="name_taken")
    elif behaviour == "surprise":
        raise KeyError("nobody foresaw this")
    return {}


def _third(context: StepContext) -> dict[str, Any]:
    _note(context, "third")
    return {"first saw": context.results["first"]["seen"]}


if find_kind("probe.work") is None:
    register_kind(
        "probe.work",
        title="A probe",
        target_kind="probe",
        steps=[
            Step("first", _first, "Doing the first thing."),
            Step("second", _second, "Doing the second thing."),
            Step("third", _third, "Doing the last thing.", cancelable=False),
        ],
    )
    declare_right("operations.manage", "probe.work")


def _limited(context: StepContext) -> None:  # noqa: C901 - one case for each way
    """Does what the tests of a step's limits ask for; none of it ends by itself."""
    hoard = "x = bytearray(300_000_000); import time; time.sleep(60)"
    match context.params["way"]:
        case "sleeps":
            time.sleep(60)
        case "works":
            while True:
                pass
        case "waits for a program":
            subprocess.run(["sleep", "61"], check=True)
        case "swallows errors":
            while True:
                with contextlib.suppress(Exception):
                    time.sleep(60)
        case "is deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
            time.sleep(60)
        case "keeps the interpreter":
            re.match(r"(a+)+$", "a" * 60 + "b")
        case "hoards":
            exec(hoard, {})
        case "has a program hoard":
            subprocess.run([sys.executable, "-c", hoard], check=True)


if find_kind("probe.limited") is None:
    register_kind(
        "probe.limited", title="A probe of limits", target_kind="probe", steps=[Step("only", _limited, "Busy.")]
    )
    register_kind(
        "probe.hoard",
        title="A probe of memory",
        target_kind="probe",
        steps=[Step("only", _limited, "Hoarding.", time_limit=timedelta(seconds=50))],
    )
