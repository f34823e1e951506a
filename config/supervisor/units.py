"""The programs that shall run for as long as the platform does, each started again when it ends by itself."""

from __future__ import annotations

import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from config.services import Child, Processes, Program, Server
from config.services.ports import LOOPBACK
from config.workers import describe_worker, name_worker

from .settings import PROJECT, LaunchError, LaunchSettings

FAILURES_TO_GIVE_UP = 5
WINDOW_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 8.0


@dataclass
class Unit:
    """One program, how to start it, and how often it ended lately."""

    name: str
    start: Callable[[], Child]
    child: Child
    ended_at: deque[float] = field(default_factory=deque)
    start_again_at: float = 0.0

    def watch(self, processes: Processes, *, say: Callable[[str], None]) -> None:
        """Starts it again when it has ended and its pause is over. Raises LaunchError when it keeps ending."""
        now = time.monotonic()
        if self.start_again_at:
            if now >= self.start_again_at:
                self.start_again_at = 0.0
                self.child = self.start()
            return
        code = self.child.exit_code
        if code is None:
            return
        processes.stop([self.child])
        self.ended_at.append(now)
        while self.ended_at[0] < now - WINDOW_SECONDS:
            self.ended_at.popleft()
        log = self.child.program.log
        if len(self.ended_at) >= FAILURES_TO_GIVE_UP:
            raise LaunchError(f"{self.name} ended {len(self.ended_at)} times within two minutes: see {log}")
        pause = min(0.5 * 2 ** (len(self.ended_at) - 1), LONGEST_PAUSE_SECONDS)
        self.start_again_at = now + pause
        say(f"{self.name} {describe_end(code)} (see {log}); starting it again in {pause:g} s")


def describe_end(code: int) -> str:
    """How a program ended, for people."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def supervise_server(server: Server, processes: Processes) -> Unit:
    """A unit for a PostgreSQL or Redis of ours."""

    def start() -> Child:
        server.restart(processes)
        return server.child

    return Unit(server.name, start, server.child)


def supervise(program: Program, processes: Processes) -> Unit:
    """Starts the program as a unit."""
    return Unit(program.name, lambda: processes.start(program), processes.start(program))


def describe_programs(settings: LaunchSettings, environment: dict[str, str]) -> dict[str, Program]:
    """The web server, the workers of each queue and the scheduler, by name."""
    level = environment.get("LOG_LEVEL") or "INFO"
    commands = {
        "web": [
            *("-m", "granian", "--interface", "wsgi", "--host", LOOPBACK, "--port", str(settings.port), "--no-ws"),
            *("--workers", str(settings.web_workers), "--blocking-threads", str(settings.web_threads)),
            *("--workers-kill-timeout", "3", "--respawn-failed-workers", "config.wsgi:application"),
        ],
        **{
            name_worker(queue): ["-m", "celery", *describe_worker(queue, processes=processes, level=level)]
            for queue, processes in settings.worker_processes.items()
        },
        "beat": [
            *("-m", "celery", "--app", "config.celery", "beat", "--loglevel", level, "--pidfile="),
            *("--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"),
        ],
    }
    return {
        name: Program(
            name=name,
            command=[sys.executable, *arguments],
            log=settings.logs / f"{name}.log",
            cwd=PROJECT,
            environment=environment,
        )
        for name, arguments in commands.items()
    }
