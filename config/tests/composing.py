"""Reads docker-compose.yml as Compose does, as far as this file uses it: merge keys, and variables with defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?P<operator>:-|:\?|\})?)")


def read_compose(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The file's content with every variable replaced. Raises KeyError for one that is required and not given."""
    content: dict[str, Any] = replace(yaml.safe_load(path.read_text()), variables)
    return content


def replace(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with the variables of all of its strings replaced."""
    if isinstance(value, dict):
        return {key: replace(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [replace(item, variables) for item in value]
    return interpolate(value, variables) if isinstance(value, str) else value


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$`; a default may hold variables itself."""
    done = ""
    while match := VARIABLE.search(text):
        done += text[: match.start()]
        rest = text[match.end() :]
        if match["escaped"]:
            done, text = done + "$", rest
            continue
        argument = ""
        if match["operator"] != "}":
            end = find_closing_brace(rest)
            argument, rest = rest[:end], rest[end + 1 :]
        given = variables.get(match["name"], "")
        if not given and match["operator"] == ":?":
            raise KeyError(f"{match['name']}: {argument}")
        done += given or (interpolate(argument, variables) if match["operator"] == ":-" else "")
        text = rest
    return done + text


def find_closing_brace(text: str) -> int:
    """Where the brace is that closes one opened before the text."""
    depth = 1
    for index, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return index
    raise ValueError(f"no closing brace in {text!r}")


def read_image_environment(path: Path) -> dict[str, str]:
    """What the last stage of a Dockerfile sets by ENV."""
    stage = path.read_text().rsplit("\nFROM ", 1)[1]
    text = re.search(r"^ENV ((?:.*\\\n)*.*)$", stage, re.MULTILINE)
    assert text
    return dict(pair.split("=", 1) for pair in text[1].replace("\\\n", " ").split())
