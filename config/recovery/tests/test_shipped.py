"""What is promised, what is shipped and what operators read are the same numbers."""

from __future__ import annotations

import ast
import configparser
import re
import sys

import pytest

from config.env import ROOT
from config.recovery.objectives import RECOVERY_POINT, RECOVERY_TIME, Limits, Schedule

SHIPPED = ROOT / "deploy" / "pgbackrest"
PAGE = (ROOT / "docs" / "operations" / "backup.md").read_text()


def read_limits() -> dict[str, str]:
    """The page's table of findings."""
    return dict(re.findall(r"^\| ([a-z ]+) \| (\d+ (?:h|min)) \|", PAGE, re.MULTILINE))


def test_page_tells_the_limits_of_the_code() -> None:
    assert read_limits() == {
        "full backup": f"{Limits().full_age.total_seconds() / 3600:.0f} h",
        "newest backup": f"{Limits().backup_age.total_seconds() / 3600:.0f} h",
        "log exposure": f"{Limits().wal_exposure.total_seconds() / 60:.0f} min",
        "verification": f"{Limits().verification_age.total_seconds() / 3600:.0f} h",
    }
    assert f"at most {RECOVERY_POINT.total_seconds() / 60:.0f} minutes" in PAGE
    assert (RECOVERY_TIME.total_seconds(), "within an hour" in PAGE) == (3600, True)
    assert f"every {Schedule().full_every.total_seconds() / 3600:.0f} h" in PAGE
    assert f"every {Schedule().incremental_every.total_seconds() / 3600:.0f} h" in PAGE


def test_schedule_keeps_the_limits() -> None:
    assert Schedule().full_every + Schedule().incremental_every <= Limits().full_age
    assert Schedule().incremental_every * 2 <= Limits().backup_age


def test_log_leaves_the_machine_often_enough() -> None:
    found = re.search(r"^archive_timeout = (\d+)$", (SHIPPED / "postgresql.conf").read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) * 3 <= RECOVERY_POINT.total_seconds()
    assert f"| `archive_timeout` | {found[1]} s |" in PAGE


def test_repository_is_encrypted_and_its_passphrase_is_elsewhere() -> None:
    settings = configparser.ConfigParser()
    settings.read_string((SHIPPED / "pgbackrest.conf").read_text())
    assert settings["global"]["repo1-cipher-type"] == "aes-256-cbc"
    assert "repo1-cipher-pass" not in settings["global"]
    assert f"| {settings['global']['repo1-retention-full']} days of full backups" in PAGE
    assert "CIPHER_PASS" not in (ROOT / "deploy" / "compose.env.example").read_text()
    assert "SECRETS_KEYS=" not in (ROOT / "deploy" / "backup.env.example").read_text()


@pytest.mark.parametrize("name", ["apprun-backup", "apprun-backup-check"])
def test_units_call_commands_that_exist_and_failures_are_told(name: str) -> None:
    units = {}
    for kind in ("service", "timer"):
        units[kind] = configparser.ConfigParser(strict=False, interpolation=None)
        units[kind].optionxform = str  # type: ignore[method-assign, assignment]
        units[kind].read_string((SHIPPED / "systemd" / f"{name}.{kind}").read_text())
    command = units["service"]["Service"]["ExecStart"]
    assert re.match(r"/usr/bin/python3 -m recovery (check|backup)\b", command)
    handler = units["service"]["Unit"]["OnFailure"]
    assert (SHIPPED / "systemd" / handler).exists()
    assert units["timer"]["Install"]["WantedBy"] == "timers.target"


def test_recovery_runs_where_the_platform_is_not_installed() -> None:
    """deploy/postgres/Dockerfile copies the folder into an image that has Python alone."""
    for path in (ROOT / "config" / "recovery").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert str(node.module).split(".")[0] in sys.stdlib_module_names, path
    assert "COPY config/recovery /opt/apprun/recovery" in (ROOT / "deploy" / "postgres" / "Dockerfile").read_text()
