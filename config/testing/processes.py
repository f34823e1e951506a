"""Real processes for tests: a Celery worker that can be killed at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from config.env import ROOT

_SECONDS_TO_START = 60.0
_SECONDS_TO_STOP = 10.0


@dataclass
class WorkerProcess:
    """A `celery worker` in a process group of its own, on the test's database and its own part of Redis."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        """Returns once it takes messages; raises AssertionError with its log when it doesn't come up."""
        wait_for(lambda: " ready." in self.read_log() or self.process.poll() is not None, seconds=_SECONDS_TO_START)
        assert self.process.poll() is None, self.read_log()
        assert " ready." in self.read_log(), self.read_log()

    def kill(self) -> None:
        """SIGKILL: it has no chance to clean up."""
        self.process.kill()
        self.process.wait(_SECONDS_TO_STOP)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it doesn't go."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self.kill()


StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def worker_process(committed_database: str, tmp_path: Path) -> Iterator[StartWorker]:
    """``worker_process(include="apps.x.tests.probe")`` starts a worker that imports those modules too, and waits for
    it. Every worker of the test is stopped at its end; a test starts as many as it wants, one after the other or
    together."""
    with starting_workers(committed_database, tmp_path) as start:
        yield start


@contextmanager
def starting_workers(database: str, folder: Path) -> Iterator[StartWorker]:
    """What the fixture ``worker_process`` yields, for fixtures of a wider scope; logs are written to ``folder``.

    With ``pool="prefork"`` two processes of its own carry the work out, and the worker replaces those that die.
    """
    started: list[WorkerProcess] = []

    def start(*, include: str = "", pool: str = "solo", **environment: str) -> WorkerProcess:
        log = folder / f"worker-{len(started)}.log"
        command = [sys.executable, "-m", "celery", "--app", "config.celery", "worker", "--pool", pool]
        command += ["--concurrency", "1" if pool == "solo" else "2"]
        command += ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        command += ["--hostname", f"probe{len(started)}@%h"]
        command += ["--include", include] if include else []
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=ROOT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "config.settings.test",
                    "DATABASE_URL": database,
                    "REDIS_KEY_PREFIX": settings.REDIS_KEY_PREFIX,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        worker = WorkerProcess(process, log)
        started.append(worker)
        worker.wait_until_ready()
        return worker

    try:
        yield start
    finally:
        for worker in started:
            worker.stop()


def wait_for(condition: Callable[[], object], *, seconds: float = 20.0) -> bool:
    """Whether ``condition`` came true within that time."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if condition():
            return True
        time.sleep(0.05)
    return False
