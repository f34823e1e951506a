"""A version that was made with migrations doesn't go live without them."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.applications.errors import DatabaseRevisionMissing
from apps.applications.models import AppVersion, Release
from apps.applications.services.publish_plan import plan_publish
from apps.applications.services.publishing import publish, roll_back
from apps.applications.services.versions import make_version
from apps.applications.tests.factories import NOW, make_app
from apps.common.actors import SYSTEM
from apps.databases.models import DatabaseServer, WorkspaceDatabase
from apps.databases.states import DatabaseStatus


@pytest.fixture
def database(workspace: Any) -> WorkspaceDatabase:
    """The row of a database at revision 7; nobody connects to it here."""
    server = DatabaseServer.objects.create(name="of-revisions", host="127.0.0.1", admin_dsn="sealed")
    return WorkspaceDatabase.objects.create(
        workspace=workspace, server=server, name="wd_of_revisions", status=DatabaseStatus.READY, revision=7
    )


def _publish(app: Any, inside: Any, version: int | None = None) -> Release:
    return publish(app_id=app.pk, workspace=inside, actor=SYSTEM, now=NOW, may_expose=True, version=version)


@pytest.mark.django_db
def test_a_version_remembers_the_revision_it_was_made_at(database: Any, inside: Any) -> None:
    app = make_app(inside)
    version = make_version(app_id=app.pk, workspace=inside, actor=SYSTEM, now=NOW)
    assert version.database_revision == 7
    WorkspaceDatabase.objects.update(revision=0)
    assert make_version(app_id=app.pk, workspace=inside, actor=SYSTEM, now=NOW).database_revision is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"revision": 6}, "needs the database at revision 7; it is at 6"),
        ({"status": DatabaseStatus.DELETING}, "it has none that is ready"),
    ],
)
def test_a_version_whose_migrations_are_missing_is_not_published(
    database: Any, inside: Any, changed: dict[str, Any], reason: str
) -> None:
    app = make_app(inside)
    _publish(app, inside)
    WorkspaceDatabase.objects.update(**changed)
    with pytest.raises(DatabaseRevisionMissing, match=reason):
        _publish(app, inside, version=1)
    with pytest.raises(DatabaseRevisionMissing, match=reason):
        plan_publish(app_id=app.pk, workspace_id=inside.id, version=1)
    assert Release.objects.filter(app=app).count() == 1

    _publish(app, inside)
    assert AppVersion.objects.get(app=app, number=2).database_revision == changed.get("revision")
    with pytest.raises(DatabaseRevisionMissing, match=reason):
        roll_back(app_id=app.pk, workspace=inside, actor=SYSTEM, now=NOW, version=1)
    WorkspaceDatabase.objects.update(revision=8, status=DatabaseStatus.READY)
    assert roll_back(app_id=app.pk, workspace=inside, actor=SYSTEM, now=NOW, version=1).version.number == 1


@pytest.mark.django_db
def test_the_refusal_is_a_conflict_with_its_reason(database: Any, workspace: Any, api: APIClient) -> None:
    base = f"/api/v1/workspaces/{workspace.slug}"
    assert api.post(f"{base}/versions", {}, format="json").json()["database_revision"] == 7
    WorkspaceDatabase.objects.update(revision=3)
    refused = api.post(f"{base}/publish", {"version": 1}, format="json")
    assert refused.status_code == 409
    told = refused.json()
    assert (told["code"], told["needed"], told["present"]) == ("database_revision_missing", 7, 3)
