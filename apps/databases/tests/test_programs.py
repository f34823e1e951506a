"""Which pg_dump is taken: real executables that tell their version, found by PATH."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.databases.clients import programs
from apps.databases.clients.programs import find_program
from apps.databases.errors import ProgramMissing


@pytest.fixture
def install(tmp_path: Path, monkeypatch: Any) -> Any:
    """Puts a ``pg_dump`` that tells this version where Debian has that of a major version."""
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")

    def install(version: str) -> Path:
        path = tmp_path / version.partition(".")[0] / "bin" / "pg_dump"
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(f'#!/bin/sh\necho "pg_dump (PostgreSQL) {version} (Debian {version}-1.pgdg12+1)"\n')
        new.chmod(0o755)
        new.replace(path)
        return path

    return install


@pytest.mark.parametrize("version", ["15.14", "15.18", "16.10", "17.6", "18.0", "19.0"])
def test_a_release_without_known_holes_is_taken(install: Any, version: str) -> None:
    path = install(version)
    found = find_program("pg_dump", at_least=15)
    assert (found.path, f"{found.major}.{found.minor}") == (path, version)


@pytest.mark.parametrize(
    ("version", "needed"),
    [("15.7", "15.14"), ("15.13", "15.14"), ("16.9", "16.10"), ("17.5", "17.6")],
)
def test_a_release_with_known_holes_is_refused_and_says_what_is_needed(install: Any, version: str, needed: str) -> None:
    install(version)
    with pytest.raises(ProgramMissing) as refused:
        find_program("pg_dump", at_least=15)
    major = version.partition(".")[0]
    assert f"pg_dump of PostgreSQL {needed} or newer; here is: {version}" in refused.value.detail
    assert refused.value.detail.endswith(f"apt-get install postgresql-client-{major}")


def test_a_safe_one_is_taken_before_a_newer_one_with_holes(install: Any) -> None:
    install("17.5")
    path = install("16.14")
    assert find_program("pg_dump", at_least=15).path == path
    with pytest.raises(ProgramMissing, match=r"17\.6 or newer"):
        find_program("pg_dump", at_least=17)


def test_an_upgrade_is_seen_without_a_restart(install: Any) -> None:
    install("15.7")
    with pytest.raises(ProgramMissing):
        find_program("pg_dump", at_least=15)
    install("15.18")
    assert find_program("pg_dump", at_least=15).minor == 18
