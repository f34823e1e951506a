"""Starts the launchers as processes of their own, so that they can be killed, and looks at what they leave behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.env import ROOT

SECONDS_TO_STOP = 10.0
GIVEN_SERVICES = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "PYTEST_XDIST_WORKER", "DJANGO_SETTINGS_MODULE")


@dataclass
class Launched:
    """A launcher and the file that its output goes to."""

    popen: subprocess.Popen[bytes]
    folder: Path
    output_file: Path

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def wait_for(self, text: str, *, seconds: float = 60.0) -> str:
        """The output, once it contains the text; fails when the launcher ends before."""
        wait_until(lambda: text in self.output or self.popen.poll() is not None, seconds=seconds)
        assert text in self.output, self.output
        return self.output

    def wait_for_end(self, *, seconds: float = 60.0) -> int:
        """Its exit code."""
        return self.popen.wait(seconds)

    def stop(self) -> int:
        """Asks it to stop as a service manager does, and returns the exit code."""
        self.popen.terminate()
        return self.wait_for_end(seconds=SECONDS_TO_STOP)


@contextlib.contextmanager
def launch(*arguments: str, folder: Path, **environment: str) -> Iterator[Launched]:
    """Runs `python <arguments>` on the data folder, without the services of this test run, and ends it at the end."""
    inherited = {name: value for name, value in os.environ.items() if name not in GIVEN_SERVICES}
    output_file = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.out")
    with output_file.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=inherited | {"DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    launched = Launched(popen, folder, output_file)
    try:
        yield launched
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(SECONDS_TO_STOP * 2)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


def find_processes_of(folder: Path) -> list[str]:
    """Whatever runs with the folder in its arguments, its environment or as its working folder."""
    found = []
    for process in psutil.process_iter():
        if process.pid in {os.getpid(), os.getppid()}:
            continue
        with contextlib.suppress(psutil.Error):
            traces = [*process.cmdline(), *process.environ().values(), process.cwd()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in trace for trace in traces):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
    return found


def find_files_left(folder: Path) -> list[Path]:
    """Pid files, lock files and sockets in the data folder."""
    names = ("apprun.pid", "postmaster.pid", ".s.PGSQL*", "*.sock", "*.lock", "celerybeat*")
    return [path for name in names for path in folder.rglob(name)]


def assert_nothing_is_left(folder: Path, *, ports: tuple[int, ...] = (), seconds: float = SECONDS_TO_STOP) -> None:
    """Within the time: no process, no pid file, no socket, nobody listening."""
    wait_until(lambda: not find_processes_of(folder) and not find_files_left(folder), seconds=seconds)
    assert find_processes_of(folder) == []
    assert find_files_left(folder) == []
    assert [port for port in ports if find_listeners(port)] == []


def find_listeners(port: int) -> list[str]:
    """The addresses on which something listens on the port."""
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return [connection.laddr.ip for connection in listening if connection.laddr.port == port]


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Returns when the condition is true or the time is over."""
    give_up_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < give_up_at:
        time.sleep(0.1)
