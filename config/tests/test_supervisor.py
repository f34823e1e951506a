"""`make run` as people use it: the real platform on a new data folder, stopped, killed and started again."""

from __future__ import annotations

import fcntl
import json
import math
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.env import ROOT
from config.services.ports import pick_port

from .launching import GIVEN_SERVICES, Launched, assert_nothing_is_left, find_processes_of, launch, wait_until

pytestmark = [pytest.mark.xdist_group("supervisor"), pytest.mark.timeout(180)]

READY = "AppRun is ready"
SECONDS_TO_SERVE_AGAIN = 10.0
ATTEMPTS = 3  # the best of these counts


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder that all tests of this module take up one after the other."""
    parent = Path(tempfile.mkdtemp(prefix="apprun-test-run-"))
    parent.chmod(0o755)
    yield parent / "data"
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def port() -> int:
    return pick_port(preferred=None, taken=set())


def run(folder: Path, port: int | str, **environment: str):
    return launch("-m", "config.supervisor", folder=folder, **{"PORT": str(port), "DEMO": "0"} | environment)


def allowed_seconds() -> float:
    """The bar, longer by as much as the machine has more to do than it has processors (other tests run beside)."""
    return SECONDS_TO_SERVE_AGAIN * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def read_status(port: int, path: str = "/readyz") -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return int(answer.status)


def find_program(launched: Launched, *words: str) -> psutil.Process:
    """The launcher's own child whose command has the words."""
    children = psutil.Process(launched.popen.pid).children()
    return next(child for child in children if set(words) <= set(child.cmdline()))


def test_first_start_serves_and_sigterm_leaves_nothing(folder: Path, port: int) -> None:
    with run(folder, port, DEMO="1") as launched:
        output = launched.wait_for(READY, seconds=120)
        assert f"http://127.0.0.1:{port}/admin/" in output
        demo = json.loads((folder / "demo.json").read_text())
        assert (folder / "demo.json").stat().st_mode & 0o777 == 0o600
        assert (folder / "mail").stat().st_mode & 0o777 == 0o700
        assert demo["base_url"] == f"http://127.0.0.1:{port}"
        for text in (demo["operator"]["password"], demo["user"]["email"], demo["workspaces"][0]["apps"][0]["url"]):
            assert text in output
        assert read_status(port) == 200
        names = ["django-secret.key", "encryption.key", "postgres-password.key", "redis-password.key"]
        assert sorted(path.name for path in folder.glob("*.key")) == names
        assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}
        recorded = json.loads((folder / "services.json").read_text())
        assert len(find_processes_of(folder)) > 6
        started = time.monotonic()
        assert launched.stop() == 0
        assert time.monotonic() - started < 10
    assert_nothing_is_left(folder, ports=(port, recorded["postgres_port"], recorded["redis_port"]), seconds=1)


def test_second_start_serves_the_same_data_in_under_ten_seconds(folder: Path, port: int) -> None:
    if not (folder / "demo.json").exists():
        with run(folder, port, DEMO="1") as launched:
            launched.wait_for(READY, seconds=120)
            assert launched.stop() == 0
    secret = (folder / "django-secret.key").read_text()
    demo = json.loads((folder / "demo.json").read_text())
    seconds: list[float] = []
    while len(seconds) < ATTEMPTS and min(seconds, default=math.inf) >= allowed_seconds():
        started = time.monotonic()
        with run(folder, port, DEMO="1") as launched:
            launched.wait_for(READY)
            seconds.append(time.monotonic() - started)
            assert json.loads((folder / "demo.json").read_text()) == demo
            assert (folder / "django-secret.key").read_text() == secret
            launched.popen.send_signal(signal.SIGINT)
            assert launched.wait_for_end(seconds=10) == 0
        assert_nothing_is_left(folder, ports=(port,), seconds=1)
    assert min(seconds) < allowed_seconds()


def test_ctrl_c_in_a_terminal_stops_make_run(folder: Path, port: int) -> None:
    ours, theirs = os.openpty()
    settings = {"PORT": str(port), "DATA_DIR": str(folder), "DEMO": "0", "VENV": sys.prefix}
    process = subprocess.Popen(
        ["make", "run", *(f"{name}={value}" for name, value in settings.items())],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in GIVEN_SERVICES},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(theirs)
    shown = read_terminal(ours, until=READY)
    os.write(ours, b"\x03")
    shown += read_terminal(ours, until="stopped")
    assert process.wait(10) == -signal.SIGINT  # as make ends when it is interrupted
    os.close(ours)
    assert "Traceback" not in shown
    assert_nothing_is_left(folder, ports=(port,), seconds=1)


def read_terminal(terminal: int, *, until: str) -> str:
    """What a terminal shows up to the text."""
    shown = ""
    while until not in shown:
        readable, _, _ = select.select([terminal], [], [], 60)
        assert readable, shown
        shown += os.read(terminal, 4096).decode()
    return shown


def test_programs_that_die_come_back(folder: Path, port: int) -> None:
    with run(folder, port) as launched:
        launched.wait_for(READY)
        for words in (("celery", "worker"), ("celery", "beat"), ("granian",)):
            died = find_program(launched, *words)
            died.kill()
            wait_until(lambda died=died: not died.is_running(), seconds=5)
        postgres = next(
            child for child in psutil.Process(launched.popen.pid).children() if "postgres" in child.cmdline()[0]
        )
        postgres.send_signal(signal.SIGQUIT)
        launched.wait_for("beat was ended by SIGKILL")
        launched.wait_for("postgres ended with exit code")

        def is_whole_again() -> bool:
            try:
                find_program(launched, "celery", "worker")
                find_program(launched, "celery", "beat")
                return read_status(port) == 200
            except (OSError, StopIteration, psutil.Error):
                return False

        wait_until(is_whole_again, seconds=30)
        assert is_whole_again()


def test_killed_supervisor_leaves_nothing(folder: Path, port: int) -> None:
    with run(folder, port) as launched:
        launched.wait_for(READY)
        launched.popen.kill()
        launched.wait_for_end()
        assert_nothing_is_left(folder, ports=(port,))


def test_stale_pid_file_and_a_second_start_on_the_same_folder(folder: Path, port: int) -> None:
    (folder / "apprun.pid").write_text(f"{os.getpid()}\n")
    with run(folder, port) as first:
        first.wait_for("PostgreSQL")
        with run(folder, port + 1) as second:
            assert second.wait_for_end() == 1
        assert second.output == (
            f"make run: AppRun is already running on {folder} (process {first.popen.pid}): "
            "stop it first, or set DATA_DIR.\n"
        )
        first.popen.terminate()  # in the middle of the start
        assert first.wait_for_end(seconds=10) == 0
    assert_nothing_is_left(folder, ports=(port,), seconds=1)


def test_taken_port_is_one_clear_line(folder: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), run(folder, port) as launched:
        assert launched.wait_for_end() == 1
    assert launched.output == f"make run: Port {port} is in use. Choose another: make run PORT={port + 1}\n"
    assert_nothing_is_left(folder, seconds=1)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PORT", "http", "make run: PORT is 'http': expected a number from 1 to 65535.\n"),
        ("PORT", "70000", "make run: PORT is '70000': expected a number from 1 to 65535.\n"),
        ("WEB_WORKERS", "0", "make run: WEB_WORKERS is '0': expected a number from 1 to 256.\n"),
        ("DATA_DIR", "/dev/null/x", "make run: Can't use /dev/null/x as data folder (Not a directory): set DATA_DIR"),
        ("SERVICES", "docker", "make run: SERVICES is 'docker': expected auto, system or wheels.\n"),
        ("DATABASE_URL", "postgres://a:b@127.0.0.1:1/c", "make run: PostgreSQL doesn't answer at the address of"),
    ],
)
def test_wrong_setting_is_one_clear_line(folder: Path, port: int, name: str, value: str, line: str) -> None:
    fresh = folder.with_name("refused")
    settings = {"PORT": str(port), name: value}
    with launch("-m", "config.supervisor", folder=fresh, **settings) as launched:
        assert launched.wait_for_end() == 1
    assert line in launched.output
    assert "Traceback" not in launched.output
    assert_nothing_is_left(fresh, seconds=1)


def test_preparation_that_fails_shows_its_reason_and_stops_everything(folder: Path, port: int) -> None:
    with run(folder, port, DJANGO_SETTINGS_MODULE="config.settings.nowhere") as launched:
        assert launched.wait_for_end() == 1
    assert "No module named 'config.settings.nowhere'" in launched.output
    assert launched.output.splitlines()[-1].startswith("make run: the database could not be prepared")
    assert_nothing_is_left(folder, seconds=1)
