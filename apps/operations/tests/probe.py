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
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection, transaction

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


def _query(asked: Any) -> None:
    """A statement that takes longer than any test waits; `running_statements` finds it."""
    with asked.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60) /* probe */")


def running_statements() -> int:
    """How many of those this database's server is at."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND query LIKE 'SELECT pg_sleep(60)%'"
        )
        count: int = cursor.fetchone()[0]
    return count


_HOARD = "x = bytearray(300_000_000); import time; time.sleep(60)"


def _work() -> None:
    while True:
        pass


def _swallow_errors() -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(60)


def _grow_deaf() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})


def _query_in_transaction() -> None:
    with transaction.atomic():
        _query(connection)


def _query_elsewhere() -> None:
    with psycopg.connect(**connection.get_connection_params()) as own:
        _query(own)


#: What the tests of a step's limits ask for; none of it ends by itself.
_WAYS: dict[str, Callable[[], object]] = {
    "sleeps": lambda: time.sleep(60),
    "works": _work,
    "waits for a program": lambda: subprocess.run(["sleep", "61"], check=True),
    "swallows errors": _swallow_errors,
    "is deaf": lambda: (_grow_deaf(), time.sleep(60)),
    "waits for the database": lambda: _query(connection),
    "waits in a transaction": _query_in_transaction,
    "waits for a server of its own": _query_elsewhere,
    "is deaf in the database": lambda: (_grow_deaf(), _query(connection)),
    "keeps the interpreter": lambda: re.match(r"(a+)+$", "a" * 60 + "b"),
    "hoards": lambda: exec(_HOARD, {}),
    "has a program hoard": lambda: subprocess.run([sys.executable, "-c", _HOARD], check=True),
}


def _limited(context: StepContext) -> None:
    _WAYS[context.params["way"]]()


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
