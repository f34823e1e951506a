"""Definitions and apps for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apps.applications.models import App
from apps.applications.services.apps import create_app
from apps.applications.services.publishing import publish
from apps.common.actors import SYSTEM

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_definition(title: str = "Doubler") -> dict[str, Any]:
    """A page with a form, whose action doubles a number."""
    return {
        "schema_version": 1,
        "page": {
            "title": title,
            "blocks": [
                {"kind": "markdown", "text": "Doubles what you type."},
                {"kind": "form", "action": "double"},
                {"kind": "metric", "label": "Twice", "value": {"expr": "result.double.twice"}},
            ],
        },
        "actions": {
            "double": {
                "mode": "sync",
                "input": {"type": "object", "required": ["n"], "properties": {"n": {"type": "number"}}},
                "workflow": {
                    "steps": [{"id": "calc", "kind": "transform", "set": {"twice": {"expr": "inputs.n * 2.0"}}}],
                    "outputs": {"twice": {"expr": "steps.calc.twice"}},
                },
            }
        },
    }


def make_app(workspace: Any, *, slug: str = "doubler", definition: Any = None, published: bool = False) -> App:
    """An app of the entered workspace, made and published by the services that users reach."""
    app = create_app(
        workspace=workspace,
        actor=SYSTEM,
        name="Doubler",
        slug=slug,
        definition=definition or make_definition(),
        now=NOW,
    )
    if published:
        publish(app_id=app.pk, workspace=workspace, actor=SYSTEM, now=NOW, may_expose=True)
        app.refresh_from_db()
    return app
