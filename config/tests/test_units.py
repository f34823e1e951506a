"""Restarts with growing pauses, and the logs' way to the terminal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from config.services import Processes, Program
from config.supervisor.logs import LogTail
from config.supervisor.settings import LaunchError
from config.supervisor.units import Unit, supervise

CONSOLE_TRACEBACK = """\
2026-11-21T01:00:00Z [info     ] request finished
2026-11-21T01:00:01Z [error    ] it broke
Traceback (most recent call last):
  File "x.py", line 1, in f
    1 / 0
ZeroDivisionError: division by zero
2026-11-21T01:00:02Z [info     ] request finished
"""


def watch_for_ever(unit: Unit, processes: Processes, said: list[str]) -> None:
    while True:
        unit.watch(processes, say=said.append)
        time.sleep(0.02)


def test_program_that_keeps_ending_stops_the_whole_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.supervisor.units.LONGEST_PAUSE_SECONDS", 0.05)
    said: list[str] = []
    with Processes() as processes:
        program = Program(name="web", command=["/bin/sh", "-c", "exit 3"], log=tmp_path / "web.log", cwd=tmp_path)
        unit = supervise(program, processes)
        with pytest.raises(LaunchError, match="web ended 5 times within two minutes: see "):
            watch_for_ever(unit, processes, said)
    assert len(said) == 4
    assert said[0].startswith("web ended with exit code 3 (see ")


def test_grandchildren_end_with_their_program(tmp_path: Path) -> None:
    pid_file = tmp_path / "grandchild"
    script = f"sleep 300 & echo $! > {pid_file}; trap '' TERM; wait; wait"
    with Processes() as processes:
        program = Program(name="web", command=["/bin/sh", "-c", script], log=tmp_path / "web.log", cwd=tmp_path)
        child = processes.start(program)
        while not (pid_file.exists() and pid_file.read_text().strip()):
            time.sleep(0.02)
        processes.stop([child], within=0.3)
    status = Path(f"/proc/{pid_file.read_text().strip()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_terminal_shows_errors_with_their_traceback_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("[error    ] of an earlier run\n")
    tail = LogTail("web", path, verbose=False)
    with path.open("a") as file:
        file.write(CONSOLE_TRACEBACK + '{"level": "error", "event": "x"}\nhalf a line with ERROR')
    shown = [line.removeprefix("web      | ") for line in tail.read_new()]
    assert shown == [*CONSOLE_TRACEBACK.splitlines()[1:-1], '{"level": "error", "event": "x"}']
    with path.open("a") as file:
        file.write(" and its end\n")
    assert tail.read_new() == ["web      | half a line with ERROR and its end"]
    assert tail.read_new() == []


def test_terminal_is_spared_what_postgresql_expects(tmp_path: Path) -> None:
    path = tmp_path / "postgres.log"
    tail = LogTail("postgres", path, verbose=False)
    path.write_text("ERROR:  duplicate key value\nFATAL:  out of memory\n")
    assert tail.read_new() == ["postgres | FATAL:  out of memory"]


def test_verbose_shows_all_and_a_flood_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    tail = LogTail("web", path, verbose=True)
    path.write_text("line\n" * 100)
    shown = tail.read_new()
    assert len(shown) == 41
    assert shown[-1] == f"web      | … 60 more lines in {path}"
