"""A process of its own that uses a quota from several threads; started by test_processes.

Arguments: the workspace's id, how many threads, and what each does. It says ``ready``, waits for a line on its standard
input, and writes a JSON line with what was counted, refused and answered.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import django

django.setup()

from django.db import connection, connections, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from apps.billing.models import Quota  # noqa: E402
from apps.billing.services.consumption import consume  # noqa: E402
from apps.billing.services.reservations import reserve  # noqa: E402
from apps.common.errors import QuotaExceeded  # noqa: E402
from apps.common.ids import new_id  # noqa: E402
from apps.common.tenancy import enter  # noqa: E402
from apps.workspaces.selectors.directory import find_workspace  # noqa: E402

DIMENSION = "runtime.requests"


def use(workspace: Any, key: str = "") -> dict[str, Any] | None:
    """One unit; None when it is refused."""
    try:
        return consume(
            workspace=workspace,
            dimension=DIMENSION,
            amount=1,
            key=key or str(new_id()),
            source="api",
            actor="",
            now=timezone.now(),
        )
    except QuotaExceeded:
        return None


def once(workspace: Any) -> list[Any]:
    """One unit."""
    return [use(workspace)]


def same_key(workspace: Any) -> list[Any]:
    """One unit, under the key that everybody uses."""
    return [use(workspace, "everybody's")]


def over_the_end(workspace: Any) -> list[Any]:
    """One unit after the other, until a second after the period's end."""
    ends = Quota.objects.get(dimension=DIMENSION).period_end + timedelta(seconds=1)
    answers = []
    while timezone.now() < ends:
        answers.append(use(workspace))
    return answers


def reserve_and_hang(workspace: Any) -> list[Any]:
    """Reserve five units for a second, and never come to the commit."""
    held = reserve(
        workspace=workspace,
        dimension=DIMENSION,
        amount=5,
        key=str(new_id()),
        source="api",
        actor="",
        now=timezone.now(),
        lifetime=timedelta(seconds=1),
    )
    print(json.dumps({"held": str(held.pk)}), flush=True)
    time.sleep(60)
    return []


def consume_and_hang(workspace: Any) -> list[Any]:
    """Use a unit, and never come to the end of the transaction."""
    with transaction.atomic():
        use(workspace)
        print(json.dumps({"used": 1}), flush=True)
        time.sleep(60)
    return []


def main() -> None:
    workspace_id, threads, what = sys.argv[1], int(sys.argv[2]), globals()[sys.argv[3]]
    workspace, gate = find_workspace(workspace_id), Barrier(threads + 1)

    def act(_: int) -> list[Any]:
        assert workspace is not None
        with enter(workspace):
            connection.ensure_connection()
            gate.wait(timeout=60)
            try:
                found: list[Any] = what(workspace)
                return found
            finally:
                connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        acting = pool.map(act, range(threads))
        print("ready", flush=True)
        sys.stdin.readline()
        gate.wait(timeout=60)
        answers = [answer for found in acting for answer in found]
    counted = [answer for answer in answers if answer is not None]
    print(json.dumps({"counted": len(counted), "refused": len(answers) - len(counted), "answers": counted[:20]}))


if __name__ == "__main__":
    main()
