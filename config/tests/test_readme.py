"""The README names every setting that the code reads from the environment."""

from __future__ import annotations

import re

from config.env import ROOT

READ_BY_SETTINGS = re.compile(r"""env\.\w+\(\s*"([A-Z_]+)\"""")
READ_BY_LAUNCHER = re.compile(r"""(?:environ\.get\(|read_number\(environ, )"([A-Z_]+)\"""")


def test_readme_names_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()
    settings = set()
    for path in (ROOT / "config" / "settings").rglob("*.py"):
        settings |= set(READ_BY_SETTINGS.findall(path.read_text()))
    for path in [*(ROOT / "config" / "services").glob("*.py"), *(ROOT / "config" / "supervisor").glob("*.py")]:
        settings |= set(READ_BY_LAUNCHER.findall(path.read_text())) - {"PATH"}
    assert len(settings) > 30
    assert sorted(name for name in settings if f"`{name}`" not in readme) == []
