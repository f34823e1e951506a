"""A skip is a failure where everything is installed on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.env import ROOT

SKIPS = """
import pytest

def test_runs(): pass

@pytest.mark.skip(reason="no DNS server: apt-get install knot")
def test_skips(): pass

@pytest.mark.xfail(reason="known")
def test_expected(): assert False
"""
MODULE_SKIPS = """
import pytest
pytest.importorskip("no_such_module")
"""


def run_pytest(tmp_path: Path, text: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_sample.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "config.testing.strict", *arguments, str(tmp_path)],
        cwd=tmp_path,
        env=given | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_skips_are_allowed_by_default(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, SKIPS)
    assert result.returncode == 0
    assert "1 passed, 1 skipped, 1 xfailed" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize(("arguments", "environment"), [(["--strict-skips"], {}), ([], {"CI": "true"})])
def test_strict_run_fails_on_a_skip_and_tells_its_reason(
    tmp_path: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    result = run_pytest(tmp_path, SKIPS, *arguments, **environment)
    assert result.returncode == 1
    assert "no DNS server: apt-get install knot (a skip counts as a failure here)" in result.stdout
    assert "1 passed, 1 xfailed, 1 error" in result.stdout.splitlines()[-1]


def test_strict_run_fails_on_a_module_that_skips_itself(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, MODULE_SKIPS).returncode == 5  # nothing collected
    result = run_pytest(tmp_path, MODULE_SKIPS, "--strict-skips")
    assert result.returncode == 2
    assert "could not import 'no_such_module'" in result.stdout
