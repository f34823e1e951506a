"""Published apps for tests of the runtime."""

from __future__ import annotations

import copy
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.common.canonical_json import digest
from apps.common.tenancy import enter

ADDER: dict[str, Any] = {
    "schema_version": 1,
    "page": {
        "title": "Adder",
        "description": "Adds two numbers.",
        "blocks": [
            {"kind": "markdown", "text": "Two numbers, **one** sum."},
            {"kind": "form", "action": "add", "submit_label": "Add"},
            {"kind": "metric", "label": "Sum", "value": {"expr": "result.add.sum"}, "format": "0,0.00"},
        ],
    },
    "actions": {
        "add": {
            "mode": "sync",
            "input": {
                "type": "object",
                "required": ["a", "b"],
                "properties": {
                    "a": {"type": "number", "title": "First", "minimum": -1000000, "maximum": 1000000},
                    "b": {"type": "number", "title": "Second", "minimum": -1000000, "maximum": 1000000},
                },
            },
            "workflow": {
                "steps": [{"id": "s", "kind": "transform", "set": {"sum": {"expr": "inputs.a + inputs.b"}}}],
                "outputs": {"sum": {"expr": "steps.s.sum"}, "secret": "not on the page"},
            },
        },
        "hidden": {
            "mode": "sync",
            "input": {"type": "object", "properties": {}},
            "workflow": {"steps": [], "outputs": {"word": "hidden"}},
        },
    },
}


def adder(**page: Any) -> dict[str, Any]:
    """The definition of the adder, with other members of its page."""
    definition = copy.deepcopy(ADDER)
    definition["page"].update(page)
    return definition


def publish_app(
    workspace: Any,
    definition: dict[str, Any] | None = None,
    *,
    slug: str = "adder",
    status: str = "published",
    password: str = "",
    **policy: Any,
) -> App:
    """An app with one release, open as ``policy`` says (to everyone, if it doesn't)."""
    now = timezone.now()
    with enter(workspace):
        app = App.objects.create(slug=slug, name="Adder", draft={})
        release = publish_version(workspace, app, definition or ADDER, status=status)
        values: dict[str, Any] = {"audience": "public"} | policy
        if password:
            values["password_hash"] = make_password(password)
        AccessPolicy.objects.update_or_create(app=app, defaults=values)
    assert release.at <= timezone.now()
    assert now <= release.at
    return app


def publish_version(workspace: Any, app: App, definition: dict[str, Any], *, status: str = "published") -> Release:
    """The next version of an app, released."""
    with enter(workspace):
        number = AppVersion.objects.filter(app=app).count() + 1
        version = AppVersion.objects.create(
            app=app, number=number, definition=definition, digest=digest(definition), created_at=timezone.now()
        )
        release = Release.objects.create(app=app, sequence=number, kind="publish", version=version, at=timezone.now())
        App.objects.filter(pk=app.pk).update(status=status, current_release=release)
    return release
