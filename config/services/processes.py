"""Programs that a launcher starts, and how all of them, and whatever they started, end with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .accounts import Account

SECONDS_TO_STOP = 4.0
SECONDS_TO_DIE = 2.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
GUARD = Path(__file__).with_name("guard.py")


def load_prctl() -> Callable[[int, int], int] | None:
    """Linux's prctl, found before any fork, or None on another system."""
    if sys.platform != "linux":
        return None
    function: Callable[[int, int], int] = ctypes.CDLL(None, use_errno=True).prctl
    return function


PRCTL = load_prctl()


def die_with_parent(*, parent: int, number: int) -> None:
    """Has the kernel send this process a signal when its parent dies (Linux; elsewhere the guard alone does it)."""
    if PRCTL is not None:
        PRCTL(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)


@dataclass(frozen=True)
class Program:
    """What to start: in a session of its own, its output appended to a log file."""

    name: str
    command: Sequence[str]
    log: Path
    cwd: Path
    environment: Mapping[str, str] | None = None
    account: Account | None = None
    stop_signal: int = signal.SIGTERM


class Child:
    """A started program: leader of a session and process group of its own."""

    def __init__(self, *, program: Program, popen: subprocess.Popen[bytes]) -> None:
        self.program = program
        self.popen = popen
        self.pid = popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.popen.poll()

    def ask_to_stop(self) -> None:
        """Sends the signal by which this program ends in order."""
        if self.exit_code is None:
            os.kill(self.pid, self.program.stop_signal)

    def kill_group(self) -> None:
        """Ends it and whatever it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def is_gone(self) -> bool:
        """Whether it and every process of its group have ended."""
        if self.exit_code is None:
            return False
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class Processes:
    """The programs of one launcher, with the guard that ends them if the launcher can't.

    To be used from the main thread: the kernel's parent-death signal is tied to the thread that started a program.
    """

    def __init__(self, *, held: Iterable[int] = ()) -> None:
        self.children: list[Child] = []
        self._held = tuple(held)

    def __enter__(self) -> Self:
        self._guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=self._held,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(list(self.children))
        self._tell("done")
        if self._guard.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard.wait()

    def start(self, program: Program) -> Child:
        """Starts the program; signals wait until it is written down, so that none escapes."""
        parent = os.getpid()

        def in_the_child() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            die_with_parent(parent=parent, number=program.stop_signal)

        handled = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
        try:
            with program.log.open("ab") as log:
                popen = subprocess.Popen(  # noqa: S603
                    list(program.command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=program.cwd,
                    env=None if program.environment is None else dict(program.environment),
                    start_new_session=True,
                    preexec_fn=in_the_child,  # noqa: PLW1509 - prctl and the signal mask can't be set otherwise
                    **(program.account.as_popen_arguments() if program.account else {}),
                )
            child = Child(program=program, popen=popen)
            self.children.append(child)
            self._tell(f"watch {child.pid} {int(program.stop_signal)}")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return child

    def remove_when_killed(self, path: Path) -> None:
        """Has the guard remove the path if this launcher is killed."""
        self._tell(f"remove {path}")

    def stop(self, children: Sequence[Child], *, within: float = SECONDS_TO_STOP) -> None:
        """Stops these in order and together; what is left after `within` seconds is killed, with its group."""
        for child in children:
            child.ask_to_stop()
        wait_until(lambda: all(child.is_gone() for child in children), seconds=within)
        for child in children:
            child.kill_group()
        wait_until(lambda: all(child.is_gone() for child in children), seconds=SECONDS_TO_DIE)
        for child in children:
            if child in self.children:
                self.children.remove(child)
                self._tell(f"forget {child.pid}")

    def _tell(self, line: str) -> None:
        if self._guard.stdin:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._guard.stdin.write(f"{line}\n".encode())
                self._guard.stdin.flush()


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Whether the condition came true within the time."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(every)
    return True


def end_orphans(*, folder: Path, names: tuple[str, ...], number: int) -> None:
    """Ends servers that still work in the folder although their launcher is gone (we hold its lock, so none is).

    They are known by their program's name and by their working folder, so a pid that another program has by now is
    left alone. Where /proc doesn't exist this finds nothing, and the server itself refuses to start twice.
    """
    orphans = [pid for pid in find_working_in(folder) if read_program_name(pid).startswith(names)]
    for pid in orphans:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    wait_until(lambda: not set(orphans) & set(find_working_in(folder)), seconds=SECONDS_TO_STOP)
    for pid in set(orphans) & set(find_working_in(folder)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(orphans) & set(find_working_in(folder)), seconds=SECONDS_TO_DIE)


def find_working_in(folder: Path) -> list[int]:
    """The processes whose working folder this is (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if entry.readlink() == folder:
                found.append(int(entry.parent.name))
    return found


def read_program_name(pid: int) -> str:
    """The kernel's name of a process, or nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
