"""Bar 12: from the commit of an operation to the first line of its first step, against a bare Celery task.

Both workers have a pool of two processes, and each call waits until the one before it has ended: this is the delay that
somebody notices, not a rate. Both begin where the work is handed over: ours with the commit of the request (what a POST
writes before is that POST's own time), the bare one with sending the message. The wake-up, the claim, the
limits, the lease and the record that the step begins are in it.
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
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import django
import redis

from benchmarks.bars import tell
from benchmarks.measure import alternate
from benchmarks.report import Result

ROUNDS = 9
CALLS = 60
#: In seconds, on both sides: the worker logs and acknowledges after the last thing that can be seen of its work.
_REST = 0.01
_START_LIMIT = 60.0


def main() -> None:
    # Keys of this run's own: nobody else's worker takes these messages.
    os.environ["REDIS_KEY_PREFIX"] = f"bench-ours-{os.getpid()}:"
    os.environ["BENCH_BARE_PREFIX"] = f"bench-bare-{os.getpid()}:"
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
        ours, bare = _ours(place.workspace.pk), _bare()
        for side in (ours, bare):
            _delay(broker, side)  # the first calls of each pay for connections
        compared = alternate(lambda: _delay(broker, ours), lambda: _delay(broker, bare), rounds=ROUNDS)
    tell(
        Result(
            bar="12",
            what="operation: from its commit to its first step, against a bare Celery task",
            ours=f"{compared.ours * 1000:.1f} ms",
            reference=f"{compared.reference * 1000:.1f} ms",
            ratio=compared.ratio,
            wanted="≤ 2",
            holds=compared.ratio <= 2,
        )
    )


@dataclass(frozen=True, slots=True)
class Side:
    """``ask`` hands work over and returns when it did; ``settle`` returns when the worker has put it away."""

    ask: Callable[[], float]
    settle: Callable[[], None]
    begun: str


def _ours(workspace_id: UUID) -> Side:
    from django.db import transaction
    from django.utils import timezone

    from apps.common.actors import SYSTEM
    from apps.operations.models import Operation
    from apps.operations.services.requests import request_operation
    from benchmarks.references.probe_operation import BEGUN, KIND

    def ask() -> float:
        committed: list[float] = []
        with transaction.atomic():
            transaction.on_commit(lambda: committed.append(time.monotonic()))
            request_operation(kind=KIND, target_id=uuid4(), workspace_id=workspace_id, actor=SYSTEM, now=timezone.now())
        return committed[0]

    def settle() -> None:
        while Operation.objects.pending().filter(kind=KIND).exists():
            time.sleep(0.002)
        time.sleep(_REST)

    return Side(ask, settle, BEGUN)


def _bare() -> Side:
    from benchmarks.references import bare_celery

    def ask() -> float:
        sent = time.monotonic()
        bare_celery.begin.apply_async()
        return sent

    return Side(ask, lambda: time.sleep(_REST), bare_celery.BEGUN)


def _delay(broker: redis.Redis, side: Side) -> float:
    """The median time from handing over to the first line that a worker runs of it, seconds."""
    delays = []
    for _ in range(CALLS):
        handed_over = side.ask()  # one clock for all processes of a machine
        answer = broker.blpop([side.begun], timeout=10)
        if answer is None:
            raise RuntimeError(f"No worker began within 10 s: {side.begun}")
        delays.append(float(answer[1]) - handed_over)
        side.settle()
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
    for prefix in (os.environ["REDIS_KEY_PREFIX"], os.environ["BENCH_BARE_PREFIX"]):
        for key in broker.scan_iter(f"{prefix}*"):
            broker.delete(key)


if __name__ == "__main__":
    main()
