"""Each contract of .importlinter refuses what it says: a fault of each kind is seeded into a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.env import ROOT

#: (contract, file that is added to the copy, its text)
SEEDS = {
    "Apps know only the apps below them": (
        "apps/plans/services/seeded_upwards.py",
        "from apps.workspaces import services\n",
    ),
    "Inside an app, HTTP knows the rules and the rules know the tables": (
        "apps/plans/services/seeded_inside.py",
        "from apps.plans import admin\n",
    ),
    "Rules and tables know neither HTTP nor Celery": (
        "apps/plans/services/seeded_http.py",
        "from rest_framework import status\n",
    ),
    "Of another app only services, selectors, errors, states and signals are seen": (
        "apps/workspaces/services/seeded_models.py",
        "from apps.accounts.models import User\n",
    ),
}


def _lint(tree: Path) -> str:
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"}
    done = subprocess.run(
        [program, "--no-cache"], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy of the tree with all seeds in it."""
    tree = tmp_path_factory.mktemp("seeded")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("apps", "config"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    shutil.copy(ROOT / ".importlinter", tree)
    for path, text in SEEDS.values():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return _lint(tree)


def test_contracts_are_kept_without_seeds() -> None:
    said = _lint(ROOT)
    assert "BROKEN" not in said, said
    for contract in SEEDS:
        assert f"{contract} KEPT" in said


@pytest.mark.parametrize("contract", SEEDS)
def test_contract_refuses_its_seeded_fault(report: str, contract: str) -> None:
    assert f"{contract} BROKEN" in report
    module = SEEDS[contract][0].removesuffix(".py").replace("/", ".")
    assert module in report


def test_contract_of_apps_is_exhaustive(tmp_path: Path) -> None:
    """A new app that nobody placed in the layers is refused too."""
    for name in ("apps", "config"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    stranger = tmp_path / "apps" / "stranger"
    stranger.mkdir()
    (stranger / "__init__.py").touch()
    said = _lint(tmp_path)
    assert "Apps know only the apps below them BROKEN" in said
    assert "apps.stranger" in said
