"""The Makefile's promises that can be checked without installing anything."""

from __future__ import annotations

import subprocess

import pytest

from config.env import ROOT

TARGETS = ("help", "run", "test", "lint", "bench", "drill", "lock")


def make(*arguments: str) -> str:
    result = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return result.stdout


def test_help_names_every_target() -> None:
    assert [line.split()[1] for line in make().splitlines() if line.startswith("  make ")] == list(TARGETS)


@pytest.mark.parametrize("target", TARGETS[1:])
def test_every_target_installs_what_it_needs_first(target: str) -> None:
    assert "-m venv" in make("--dry-run", target).split("config.supervisor")[0]


def test_readme_names_every_target() -> None:
    text = (ROOT / "README.md").read_text()
    assert [target for target in TARGETS if f"make {target}" not in text] == []
