"""Which backup is due is read from the repository, so that neither a restart nor a missed hour loses one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config.recovery.errors import CommandFailed
from config.recovery.objectives import Schedule
from config.recovery.schedule import choose_backup, make_backup

from .canned import Canned, read_info

FULL = datetime(2026, 11, 21, 4, 38, 42, tzinfo=UTC)
INCREMENTAL = FULL + timedelta(seconds=2)


@pytest.mark.parametrize(
    ("later", "kind"),
    [
        (timedelta(minutes=30), None),
        (timedelta(minutes=54), None),
        (timedelta(minutes=56), "incr"),
        (timedelta(hours=5), "incr"),
        (timedelta(hours=23, minutes=54), "incr"),
        (timedelta(hours=23, minutes=56), "full"),
        (timedelta(days=9), "full"),
    ],
)
def test_full_daily_and_incremental_hourly(later: timedelta, kind: str | None) -> None:
    assert choose_backup(read_info(), schedule=Schedule(), now=INCREMENTAL + later) == kind


def test_first_backup_is_full_and_makes_the_stanza() -> None:
    commands = Canned(info=read_info("info-no-stanza"))
    assert make_backup(commands=commands, schedule=Schedule(), now=FULL) == "full"
    assert commands.ran == ["stanza-create", "check", "backup --type=full"]


def test_backup_with_wrong_pages_does_not_count() -> None:
    info = read_info()
    info["backup"][0]["error"] = True
    assert choose_backup(info, schedule=Schedule(), now=FULL + timedelta(minutes=5)) == "full"


def test_nothing_is_made_when_nothing_is_due() -> None:
    commands = Canned()
    assert make_backup(commands=commands, schedule=Schedule(), now=INCREMENTAL + timedelta(minutes=1)) is None
    assert commands.ran == []


def test_repository_that_cannot_be_read_is_left_alone() -> None:
    commands = Canned(info=read_info() | {"status": {"code": 99, "message": "other"}})
    with pytest.raises(CommandFailed, match="other"):
        make_backup(commands=commands, schedule=Schedule(), now=FULL)
    assert commands.ran == []
