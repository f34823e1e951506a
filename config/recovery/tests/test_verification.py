"""`pgbackrest verify` is believed only when it says, in a form known here, that everything is whole."""

from __future__ import annotations

import pytest

from config.recovery.errors import AnswerNotUnderstood
from config.recovery.verification import Fault, Part, parse_verification

from .canned import read

FULL, INCREMENTAL = "20261121-043840F", "20261121-043840F_20261121-043843I"


def test_whole_repository_is_clean() -> None:
    found = parse_verification(read("good.txt"))
    assert found.is_clean
    assert found.archives == (Part("15-1", "valid", 6, 6),)
    assert found.backups == (Part(FULL, "valid", 967, 967), Part(INCREMENTAL, "valid", 968, 968))
    assert found.describe() == "1941 files of 2 backups and the archive are whole"


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("flipped-in-backup", "invalid checksum", f"{FULL}/pg_data/"),
        ("flipped-in-log", "invalid checksum", "15-1/0000000100000000/000000010000000000000005-"),
        ("cut-off-in-log", "unreadable", "15-1/0000000100000000/000000010000000000000003-"),
        ("missing-in-backup", "file missing", f"{FULL}/pg_data/base/5/16384.zst"),
    ],
)
def test_damage_is_found_and_the_file_named(name: str, kind: str, path: str) -> None:
    found = parse_verification(read(f"{name}.txt"))
    assert not found.is_clean
    assert [fault.kind for fault in found.faults] == [kind]
    assert found.faults[0].path.startswith(path)
    assert f"{kind}: {path}" in found.describe()


def test_backup_without_a_manifest_is_named() -> None:
    found = parse_verification(read("manifest-lost.txt"))
    assert not found.is_clean
    assert found.describe() == f"{INCREMENTAL} is invalid"


def test_wrong_stanza_or_passphrase_is_not_clean() -> None:
    found = parse_verification(read("no-stanza.txt"))
    assert not found.is_clean
    assert found.describe() == "No usable backup.info file; No usable archive.info file"


def test_many_damaged_files_are_counted_not_listed() -> None:
    log = "".join(f"P01   INFO: file missing '{FULL}/pg_data/base/1/{number}.zst'\n" for number in range(774))
    text = parse_verification(log + read("missing-in-backup.txt")).describe()
    assert "and 770 more files" in text
    assert len(text) < 500


def test_damage_that_only_the_counts_tell_is_not_clean() -> None:
    text = read("good.txt").replace("total valid files: 967", "total valid files: 966")
    assert not parse_verification(text).is_clean


def test_fault_without_a_bad_status_is_not_clean() -> None:
    found = parse_verification("P01   INFO: invalid size 'x'\n" + read("good.txt"))
    assert found.faults == (Fault("invalid size", "x"),)
    assert not found.is_clean


@pytest.mark.parametrize("text", ["", "stanza: apprun\n", "stanza: apprun\nstatus: ok\nsomething new\n"])
def test_what_is_not_understood_is_no_good_sign(text: str) -> None:
    with pytest.raises(AnswerNotUnderstood):
        parse_verification(text)


def test_status_without_any_backup_is_not_clean() -> None:
    assert not parse_verification("stanza: apprun\nstatus: ok\n").is_clean
