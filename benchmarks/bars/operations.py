"""Bar 12: from asking for an operation to the first line of its first step, against a bare Celery task.

Both workers have a pool of two processes, and each call waits until the one before it has ended: this is the delay that
somebody notices, not a rate. Ours begins where a POST's service call begins, so that writing the operation down, the
commit, the wake-up, the claim and the lease are in it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import django
import redis

from benchmarks.bars import tell
from benchmarks.measure import alternate
from benchmarks.report import Result

ROUNDS = 9
CALLS = 60
_START_LIMIT = 60.0


def main() -> None:
    # Keys of its own: nobody else's worker takes these messages.
    os.environ["REDIS_KEY_PREFIX"] = "bench-ours:"
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=2)
    place = platform.make_place()
    broker = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=30)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(_forget, broker)
        _forget(broker)
        included = ["--queues", "default", "--include", "benchmarks.references.probe_operation"]
        stack.enter_context(_worker("config.celery", included, folder / "ours.log"))
        stack.enter_context(_worker("benchmarks.references.bare_celery", [], folder / "bare.log"))
        ours = _ask_for_operation(place.workspace.pk)
        bare, begun = _send_bare_task()
        from benchmarks.references.probe_operation import BEGUN

        for ask, key in ((ours, BEGUN), (bare, begun)):
            _delay(broker, ask, key)  # the first call of each pays for connections
        compared = alternate(lambda: _delay(broker, ours, BEGUN), lambda: _delay(broker, bare, begun), rounds=ROUNDS)
    tell(
        Result(
            bar="12",
            what="operation: from the request for it to its first step, against a bare Celery task",
            ours=f"{compared.ours * 1000:.1f} ms",
            reference=f"{compared.reference * 1000:.1f} ms",
            ratio=compared.ratio,
            wanted="≤ 2",
            holds=compared.ratio <= 2,
        )
    )


def _ask_for_operation(workspace_id: UUID) -> Callable[[], None]:
    from django.db import transaction
    from django.utils import timezone

    from apps.common.actors import SYSTEM
    from apps.operations.models import Operation
    from apps.operations.services.requests import request_operation
    from benchmarks.references.probe_operation import KIND

    def ask() -> None:
        with transaction.atomic():
            request_operation(kind=KIND, target_id=uuid4(), workspace_id=workspace_id, actor=SYSTEM, now=timezone.now())

    def settled() -> None:
        while Operation.objects.pending().filter(kind=KIND).exists():
            time.sleep(0.002)

    ask.settled = settled  # type: ignore[attr-defined]
    return ask


def _send_bare_task() -> tuple[Callable[[], None], str]:
    from benchmarks.references import bare_celery

    return bare_celery.begin.apply_async, bare_celery.BEGUN


def _delay(broker: redis.Redis, ask: Callable[[], None], begun: str) -> float:
    """The median time from asking to the first line that a worker runs of it, seconds."""
    settled: Callable[[], None] = getattr(ask, "settled", lambda: time.sleep(0.005))
    delays = []
    for _ in range(CALLS):
        asked = time.monotonic()  # one clock for all processes of a machine
        ask()
        answer = broker.blpop([begun], timeout=10)
        if answer is None:
            raise RuntimeError(f"No worker began within 10 s: {begun}")
        delays.append(float(answer[1]) - asked)
        settled()
    return statistics.median(delays)


@contextmanager
def _worker(app: str, arguments: list[str], log: Path) -> Iterator[None]:
    """A Celery worker with two processes, ready for messages."""
    command = [sys.executable, "-m", "celery", "--app", app, "worker", "--concurrency", "2", "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle", "--hostname", f"{app.rpartition('.')[2]}@%h", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        give_up_at = time.monotonic() + _START_LIMIT
        while " ready." not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"The worker of {app} didn't start:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _forget(broker: redis.Redis) -> None:
    for pattern in ("bench-ours:*", "bench-bare:*"):
        for key in broker.scan_iter(pattern):
            broker.delete(key)


if __name__ == "__main__":
    main()
