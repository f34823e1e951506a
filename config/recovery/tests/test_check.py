"""The operators' check: each promise, and that what can't be known doesn't hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.recovery.__main__ import main
from config.recovery.check import Finding, check_backups, verify, write_span
from config.recovery.objectives import Limits
from config.recovery.record import Verified, read_verified, render_metrics, write_verified

from .canned import ARCHIVING, Canned, read_info

MADE = datetime(2026, 11, 21, 4, 38, 44, tzinfo=UTC)  # when the newest backup of `outputs/` was complete
NOW = MADE + timedelta(minutes=40)
CLEAN = Verified(MADE, True, "1941 files of 2 backups and the archive are whole")


def check(commands: Canned, *, now: datetime = NOW, verified: Verified | None = CLEAN) -> dict[str, Finding]:
    found = check_backups(commands=commands, limits=Limits(), now=now, verified=verified)
    return {finding.name: finding for finding in found}


def broken(commands: Canned, *, now: datetime = NOW, verified: Verified | None = CLEAN) -> list[str]:
    return [name for name, finding in check(commands, now=now, verified=verified).items() if not finding.holds]


def change_backups(**changes: Any) -> dict[str, Any]:
    info = read_info()
    return info | {"backup": [backup | changes for backup in info["backup"]]}


def test_good_repository_holds() -> None:
    assert broken(Canned()) == []


@pytest.mark.parametrize(
    ("later", "names"),
    [
        (timedelta(hours=1, minutes=59), []),
        (timedelta(hours=2, minutes=1), ["newest backup"]),
        (timedelta(hours=26, minutes=1), ["full backup", "newest backup", "verification"]),
    ],
)
def test_ages_are_held_against_the_limits(later: timedelta, names: list[str]) -> None:
    assert broken(Canned(), now=MADE + later) == names


@pytest.mark.parametrize(
    ("commands", "name"),
    [
        (Canned(info=read_info() | {"cipher": "none"}), "repository"),
        (Canned(info=change_backups(error=True)), "page checksums"),
        (Canned(archiving=ARCHIVING | {"mode": "off"}), "archiving"),
        (Canned(archiving=ARCHIVING | {"timeout": 3600}), "log exposure"),
        (Canned(archiving=ARCHIVING | {"waiting": 9, "oldest_waiting": 601}), "log exposure"),
        (Canned(archiving=ARCHIVING | {"last_archived": "00000001000000000000000A"}), "log stored"),
        (Canned(archive="missing-in-log"), "log complete"),
    ],
)
def test_each_broken_promise_is_named(commands: Canned, name: str) -> None:
    assert name in broken(commands)


def test_repository_that_is_not_there_does_not_hold() -> None:
    assert "missing stanza path" in check(Canned(info=read_info("info-no-stanza")))["repository"].text
    assert {"repository", "full backup", "newest backup"} <= set(broken(Canned(info=read_info("info-no-stanza"))))


@pytest.mark.parametrize(("program", "name"), [("pgbackrest", "repository"), ("psql", "archiving")])
def test_program_that_fails_does_not_hold(program: str, name: str) -> None:
    assert name in broken(Canned(failing=frozenset({program})))


@pytest.mark.parametrize("verified", [None, Verified(MADE, False, "invalid checksum: x")])
def test_unverified_or_damaged_repository_does_not_hold(verified: Verified | None) -> None:
    assert broken(Canned(), verified=verified) == ["verification"]


def test_verification_names_the_damaged_file() -> None:
    found = verify(commands=Canned(verification="flipped-in-log"), now=NOW)
    assert not found.clean
    assert "000000010000000000000005" in found.text


def test_verification_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "verified.json"
    assert read_verified(path) is None
    write_verified(path, CLEAN)
    assert read_verified(path) == CLEAN
    path.write_text('{"at": 5}')
    assert read_verified(path) is None


def test_metrics_are_what_prometheus_reads() -> None:
    text = render_metrics(check(Canned()).values(), stanza="apprun", now=NOW)
    assert 'apprun_backups_hold{stanza="apprun"} 1\n' in text
    assert 'apprun_backup_finding_value{stanza="apprun",finding="newest backup"} 2400\n' in text
    assert 'apprun_backup_finding_value{stanza="apprun",finding="log exposure"} 300\n' in text
    text = render_metrics(check(Canned(archive="missing-in-log")).values(), stanza="apprun", now=NOW)
    assert 'apprun_backups_hold{stanza="apprun"} 0\n' in text
    assert 'apprun_backup_finding_holds{stanza="apprun",finding="log complete"} 0\n' in text


def test_command_says_what_does_not_hold_and_ends_with_1(tmp_path: Path) -> None:
    said: list[str] = []
    metrics = tmp_path / "apprun.prom"
    arguments = ["check", f"--state={tmp_path}", f"--metrics={metrics}"]
    long_ago = Canned(info=change_backups(timestamp={"start": 1577836800, "stop": 1577836801}))
    assert main(arguments, commands=long_ago, write=said.append) == 1
    assert any(line.startswith("FAIL  newest backup:") for line in said)
    assert any(line.startswith("ok    verification:") for line in said)
    assert "apprun_backups_hold" in metrics.read_text()
    assert read_verified(tmp_path / "apprun-verified.json") is not None


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(hours=26), "26 h"),
        (timedelta(hours=3, minutes=30), "3.5 h"),
        (timedelta(days=4), "4 days"),
    ],
)
def test_spans_are_for_people(span: timedelta, text: str) -> None:
    assert write_span(span) == text
