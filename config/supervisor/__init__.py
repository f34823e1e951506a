"""`make run`: the whole platform in the foreground, from nothing, until Ctrl-C or SIGTERM.

In order: PostgreSQL and Redis (config.services), the preparation of the database, the web server, the workers and
the scheduler. Each program logs into its own file; this terminal shows addresses, logins and what goes wrong.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from types import FrameType

from config.services import FolderInUse, Processes, Program, Services, ServicesError, find_holder, services
from config.services.processes import die_with_parent
from config.workers import WORKER_QUEUES, name_worker

from .announcement import announce
from .logs import LogTail, read_end, rotate
from .settings import (
    PROJECT,
    LaunchError,
    LaunchSettings,
    make_environment,
    read_settings,
    refuse_taken_port,
)
from .units import Unit, describe_programs, supervise, supervise_server

SECONDS_TO_SERVE = 90.0
SECONDS_TO_STOP = 4.0
TICK_SECONDS = 0.1
WORKERS = tuple(name_worker(queue) for queue in WORKER_QUEUES)
PROGRAMS = ("postgres", "redis", "preparation", "web", *WORKERS, "beat")


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP: raised once, wherever the main thread is; later signals change nothing."""


def main() -> int:
    """Runs the platform and returns the exit code: 0 when it was asked to stop, 1 when it can't run."""
    listen_for_signals()
    try:
        settings = read_settings(os.environ)
        run(settings)
    except StopRequested:
        say("stopped")
    except (LaunchError, ServicesError) as error:
        print(f"make run: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def run(settings: LaunchSettings) -> None:
    """Starts everything and watches it; ends by an exception only."""
    if holder := find_holder(settings.data_dir):
        raise FolderInUse(folder=settings.data_dir, pid=holder)
    refuse_taken_port(settings)
    for name in PROGRAMS:
        rotate(settings.logs / f"{name}.log")
    say("starting PostgreSQL and Redis")
    with services(settings.data_dir, say=say) as running:
        environment = make_environment(settings, database_url=running.database_url, redis_url=running.redis_url)
        tails = [LogTail(name, settings.logs / f"{name}.log", settings.verbose) for name in PROGRAMS]
        units = [supervise_server(server, running.processes) for server in running.servers]
        (settings.data_dir / "static").mkdir(exist_ok=True)  # WhiteNoise warns without it
        (settings.data_dir / "mail").mkdir(mode=0o700, exist_ok=True)  # there are keys in it
        programs = describe_programs(settings, environment)
        try:
            # The web server loads meanwhile; it asks the database for nothing before the first request.
            units.append(supervise(programs["web"], running.processes))
            prepare(settings, environment, running.processes)
            wait_until_it_serves(settings, units, running, tails)
            units += [supervise(programs[name], running.processes) for name in (*WORKERS, "beat")]
            print(announce(settings), flush=True)  # noqa: T201
            while True:
                watch(units, running, tails)
        finally:
            stop_programs(running, tails)


def prepare(settings: LaunchSettings, environment: dict[str, str], processes: Processes) -> None:
    """Migrates the database and makes what it must hold. Raises LaunchError with the reason in the log's last lines."""
    say("preparing the database" + (" and the demo" if settings.demo else ""))
    log = settings.logs / "preparation.log"
    log.unlink(missing_ok=True)
    child = processes.start(
        Program(
            name="preparation",
            command=[sys.executable, "-m", "config.preparation"],
            log=log,
            cwd=PROJECT,
            environment=environment,
        )
    )
    while child.exit_code is None:
        time.sleep(TICK_SECONDS)
    processes.stop([child])
    if child.exit_code:
        print(read_end(log), file=sys.stderr)  # noqa: T201
        raise LaunchError(f"the database could not be prepared: the reason is above, all of it in {log}")


def wait_until_it_serves(settings: LaunchSettings, units: list[Unit], running: Services, tails: list[LogTail]) -> None:
    """Returns once /readyz says that database, cache, broker and migrations are as they must be."""
    say("starting the web server, the workers and the scheduler")
    give_up_at = time.monotonic() + SECONDS_TO_SERVE
    while not is_ready(settings):
        watch(units, running, tails)
        if time.monotonic() > give_up_at:
            raise LaunchError(
                f"{settings.base_url}/readyz isn't ready after {SECONDS_TO_SERVE:g} s: see {settings.logs}"
            )


def is_ready(settings: LaunchSettings) -> bool:
    """Whether /readyz answers 200 now."""
    try:
        with urllib.request.urlopen(f"{settings.base_url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def watch(units: list[Unit], running: Services, tails: list[LogTail]) -> None:
    """One look at every program and log, and a short pause."""
    for unit in units:
        unit.watch(running.processes, say=say)
    show(tails)
    time.sleep(TICK_SECONDS)


def stop_programs(running: Services, tails: list[LogTail]) -> None:
    """Stops web, workers and scheduler together, before the services they use."""
    say("stopping")
    servers = [server.child for server in running.servers]
    running.processes.stop(
        [child for child in running.processes.children if child not in servers], within=SECONDS_TO_STOP
    )
    show(tails)


def show(tails: list[LogTail]) -> None:
    """Prints what the logs have to say."""
    for tail in tails:
        for line in tail.read_new():
            print(line, file=sys.stderr, flush=True)  # noqa: T201


def say(line: str) -> None:
    """One line about what happens now. A terminal that has gone doesn't keep us from stopping."""
    with contextlib.suppress(OSError):
        print(f"apprun   | {line}", flush=True)  # noqa: T201


def listen_for_signals() -> None:
    """Has the first signal that asks us to stop raise StopRequested, and stops us when `make` is killed."""
    asked: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        asked.append(number)
        if len(asked) == 1:
            raise StopRequested

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    if "MAKELEVEL" in os.environ:
        die_with_parent(parent=os.getppid(), number=signal.SIGTERM)
