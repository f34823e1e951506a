"""Holes in the log, which `pgbackrest verify` calls valid, and how much a disaster would take now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.recovery.archive import find_gaps, is_stored, read_archiving
from config.recovery.errors import AnswerNotUnderstood
from config.recovery.verification import parse_verification

from .canned import ARCHIVING, Canned, read, read_info

SEGMENT = 16 * 2**20
SHA = "c519a60955df8f2d78ab27dcd1adff34c8c56fa7"


def name(segment: str) -> str:
    return f"15-1/{segment[:16]}/{segment}-{SHA}.zst"


def test_real_archive_has_no_gap() -> None:
    assert find_gaps(Canned().list_archive(), segment_bytes=SEGMENT) == []


def test_missing_segment_is_named_although_verify_sees_nothing() -> None:
    assert parse_verification(read("missing-in-log.txt")).is_clean
    gaps = find_gaps(Canned(archive="missing-in-log").list_archive(), segment_bytes=SEGMENT)
    assert gaps == ["000000010000000000000004"]


def test_segments_go_on_in_the_next_log() -> None:
    paths = [name("0000000100000000000000FF"), name("000000010000000100000000"), name("000000010000000100000003")]
    assert find_gaps(paths, segment_bytes=SEGMENT) == ["000000010000000100000001 … 000000010000000100000002"]


def test_segments_of_another_size_are_counted_right() -> None:
    paths = [name("00000001000000000000003F"), name("000000010000000100000000")]
    assert find_gaps(paths, segment_bytes=64 * 2**20) == []
    assert find_gaps(paths, segment_bytes=SEGMENT) != []


def test_timelines_and_clusters_are_apart() -> None:
    paths = [name("000000010000000000000001"), name("000000020000000000000005")]
    paths.append(name("000000010000000000000009").replace("15-1", "16-2"))
    assert find_gaps(paths, segment_bytes=SEGMENT) == []


def test_only_segments_count() -> None:
    partial = f"15-1/0000000100000000/000000010000000000000009.partial-{SHA}.zst"
    assert find_gaps([name("000000010000000000000001"), partial, "archive.info"], segment_bytes=SEGMENT) == []


def test_exposure_is_the_time_out_and_what_waits() -> None:
    calm = read_archiving(Canned())
    assert calm.is_on
    assert calm.exposure == timedelta(minutes=5)
    behind = read_archiving(Canned(archiving=ARCHIVING | {"waiting": 3, "oldest_waiting": 700.5}))
    assert behind.exposure == timedelta(seconds=1000.5)


@pytest.mark.parametrize("change", [{"mode": "off"}, {"timeout": 0}])
def test_archiving_without_a_time_out_is_not_on(change: dict[str, object]) -> None:
    assert not read_archiving(Canned(archiving=ARCHIVING | change)).is_on


def test_strange_answer_is_not_understood() -> None:
    with pytest.raises(AnswerNotUnderstood):
        read_archiving(Canned(archiving={"mode": "on"}))


@pytest.mark.parametrize(
    ("last", "stored"),
    [
        ("000000010000000000000006", True),
        ("000000010000000000000006.00000028.backup", True),
        ("000000010000000000000007", False),
        ("000000020000000000000003", False),
        ("00000002.history", True),
        ("", True),
        ("what is this", False),
    ],
)
def test_what_the_server_calls_archived_must_be_there(last: str, stored: bool) -> None:
    assert is_stored(last, read_info()) is stored
