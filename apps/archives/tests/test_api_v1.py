"""Exporting and importing over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.applications.models import App
from apps.archives.tests.factories import bring, export, publish_public_app
from apps.common.tenancy import enter
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_storage(tmp_path: Any, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "backups")},
        },
    }


def hashes(manifest: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {table["name"]: (table["rows"], table["sha256"]) for table in manifest["tables"]}


def test_a_workspace_is_exported_and_imported_beside_itself(api: Any, user: Any, workspace: Any) -> None:
    app = publish_public_app(workspace)
    _, archive = export(api, workspace)
    done = bring(api, archive, slug="the-copy", name="The copy")
    assert done.status == "succeeded", done.error
    copy = Workspace.objects.get(slug="the-copy")
    assert (str(copy.pk), copy.name, copy.owner, copy.status) == (done.result["workspace"], "The copy", user, "active")
    assert copy.pk != workspace.pk
    assert copy.default_app_id == workspace.default_app_id
    with enter(copy):
        assert App.objects.get(slug="doubler").pk == app.pk
    # The app answers there.
    answer = Client().post(
        "/runtime/the-copy/doubler", {"action": "double", "inputs": {"n": 21}}, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["outputs"] == {"twice": 42.0}
