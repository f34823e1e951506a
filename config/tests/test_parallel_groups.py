"""Tests of one xdist_group run in one process: what they share (ports, a whole server) isn't made for two."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from config.env import ROOT

TESTS = """
import pytest

@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("number", range(8))
def test_of_the_group(number): pass
"""


def test_the_installed_pytest_and_xdist_keep_a_group_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "--numprocesses", "2", "--dist", "loadgroup", "-v"]
    result = subprocess.run(
        [*command, str(tmp_path)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    ran_in = re.findall(r"^\[(gw\d+)\].* PASSED ", result.stdout, re.MULTILINE)
    assert len(ran_in) == 8, result.stdout + result.stderr
    assert len(set(ran_in)) == 1, result.stdout
