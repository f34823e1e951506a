"""The tours: every command of these pages is run beside a real `make run`, and prints what the page shows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from config.env import ROOT
from config.services.ports import pick_port
from config.tests.launching import launch

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "--- end of a command ---"


def read_tour(text: str) -> list[tuple[str, list[str]]]:
    """Each command of the console blocks (``$ ``, continued by ``> ``) with the lines that are shown below it."""
    commands: list[tuple[str, list[str]]] = []
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif line.startswith("> "):
                commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", commands[-1][1])
            else:
                commands[-1][1].append(line)
    return commands


def require_programs(text: str) -> None:
    """Skips the test on a machine that lacks what the page says it needs."""
    if "`psql`" in text and shutil.which("psql") is None:
        pytest.skip("needs psql: apt-get install postgresql-client")


def _pattern(shown: str) -> re.Pattern[str]:
    """What a shown line stands for: itself, with anything in place of an ellipsis."""
    return re.compile(".*".join(re.escape(part) for part in shown.split("…")))


@pytest.mark.xdist_group("make_run")
@pytest.mark.timeout(480)
@pytest.mark.parametrize("page", ["README.md", "docs/tour-databases.md"])
def test_tour_shows_what_its_commands_print(tmp_path: Path, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    require_programs(text)
    commands = read_tour(text)
    assert len(commands) > 20
    port, data, folder = pick_port(preferred=None, taken=set()), tmp_path / "data", tmp_path / "here"
    folder.mkdir()
    script = "\n".join(f"{command}\necho; echo '{_MARK}'" for command, _ in commands)
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace(".local/", f"{data}/")
    with launch("-m", "config.supervisor", folder=data, PORT=str(port), DEMO="0") as running:
        running.wait_for("AppRun is ready", seconds=120)
        done = subprocess.run(
            ["bash"], input=script, cwd=folder, capture_output=True, text=True, check=False, timeout=360
        )
    printed = done.stdout.replace(f"127.0.0.1:{port}", "127.0.0.1:8000").split(f"{_MARK}\n")
    for (command, shown), output in zip(commands, printed, strict=False):
        lines = [line for line in output.splitlines() if line]
        assert len(lines) == len(shown), f"{command}\n{output}\n{done.stderr}"
        for expected, line in zip(shown, lines, strict=True):
            assert _pattern(expected).fullmatch(line), f"{command}\nshown:   {expected}\nprinted: {line}"
