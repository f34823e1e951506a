"""docs/settings.md says what the code does: every setting, with the default that it really has."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from config.env import ROOT

_SETTINGS = ROOT / "config" / "settings"
_UNITS = {"s": 1, "min": 60, "h": 3600, "days": 86400}


def _tables() -> tuple[dict[str, str], dict[str, str]]:
    numbers, environment = (ROOT / "docs" / "settings.md").read_text().split("## Environment")

    def rows(text: str) -> dict[str, str]:
        found = re.findall(r"^\| `([A-Z_0-9]+)` \| (.*?) \| (.+?) \|$", text, re.MULTILINE)
        assert len(found) == len({name for name, _, _ in found}), "a setting is listed twice"
        return {name: default for name, default, reason in found if reason.strip()}

    return rows(numbers), rows(environment)


def _environment_calls() -> dict[str, tuple[ast.expr | None, bool]]:
    """Name → the default that base.py and its parts give it, and whether it is read there."""
    calls: dict[str, tuple[ast.expr | None, bool]] = {}
    for source in sorted(_SETTINGS.rglob("*.py")):
        is_base = source.parent.name == "parts" or source.name == "base.py"
        for node in ast.walk(ast.parse(source.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "env" and node.args):
                continue
            name = ast.literal_eval(node.args[0])
            default = next((keyword.value for keyword in node.keywords if keyword.arg == "default"), None)
            if is_base or name not in calls:
                calls[name] = (default, is_base)
    return calls


def _number(text: str) -> Any:
    text = text.removesuffix(" (*env*)")
    if text in {"true", "false"}:
        return text == "true"
    amount, _, unit = text.partition(" ")
    return timedelta(seconds=float(amount) * _UNITS[unit]) if unit else int(amount)


def _platform_assignments() -> dict[str, ast.expr]:
    tree = ast.parse((_SETTINGS / "parts" / "platform.py").read_text())
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def _value(node: ast.expr) -> tuple[Any, bool]:
    """The default of an assignment, and whether the environment may change it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return ast.literal_eval(next(word.value for word in node.keywords if word.arg == "default")), True
    if isinstance(node, ast.Call):
        return timedelta(**{str(word.arg): ast.literal_eval(word.value) for word in node.keywords}), False
    return eval(ast.unparse(node), {}), False  # 256 * 1024


def test_every_number_is_explained_with_its_default() -> None:
    documented, _ = _tables()
    defined = _platform_assignments()
    assert set(documented) == set(defined)
    for name, node in defined.items():
        value, from_environment = _value(node)
        assert _number(documented[name]) == value, name
        assert documented[name].endswith("(*env*)") == from_environment, name


def test_everything_read_from_the_environment_is_listed_with_its_default() -> None:
    _, documented = _tables()
    calls = _environment_calls()
    assert set(documented) == set(calls)
    for name, (default, _) in calls.items():
        shown = documented[name]
        if not shown.startswith("`"):
            continue
        assert default is not None, name
        assert shown.strip("`") == str(eval(ast.unparse(default), {})), name


def test_the_page_is_linked_from_the_settings() -> None:
    assert "docs/settings.md" in Path(_SETTINGS / "parts" / "platform.py").read_text()
