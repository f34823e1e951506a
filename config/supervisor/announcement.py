"""What `make run` prints once everything answers: addresses and logins."""

from __future__ import annotations

import json
import os
from typing import Any

from .settings import LaunchSettings


def announce(settings: LaunchSettings) -> str:
    """Addresses, and the demo's logins and apps when there are any."""
    base = settings.base_url
    rows = [
        ("Console", f"{base}/admin/"),
        ("API", f"{base}/api/v1/   described at {base}/api/docs"),
    ]
    if settings.demo:
        rows += describe_demo(read_demo(settings))
    rows += [("Logs", str(settings.logs))]
    if not os.environ.get("EMAIL_URL"):
        rows += [("Mail", str(settings.data_dir / "mail"))]
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"  {name:<{width}}{value}" for name, value in rows]
    return "\n".join(["", "AppRun is ready. Ctrl-C stops it.", "", *lines, ""])


def read_demo(settings: LaunchSettings) -> dict[str, Any]:
    """What the demo wrote down, or nothing."""
    try:
        demo = json.loads((settings.data_dir / "demo.json").read_text())
    except (OSError, ValueError):
        return {}
    return demo if isinstance(demo, dict) else {}


def describe_demo(demo: dict[str, Any]) -> list[tuple[str, str]]:
    """The demo's logins and the addresses of its apps."""
    rows = []
    for kind in ("operator", "user"):
        if login := demo.get(kind):
            rows.append((kind.title(), f"{login['email']}   {login['password']}"))
    for workspace in demo.get("workspaces", []):
        rows += [(f"App {app['slug']}", app["url"]) for app in workspace.get("apps", [])]
    return rows
