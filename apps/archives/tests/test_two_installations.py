"""From one installation to another: two databases, two processes, two sets of keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, migrations, models
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.tests.factories import UserFactory
from apps.archives.models import WorkspaceExport, WorkspaceImport
from apps.archives.services import writing
from apps.archives.services.imports import ReceivedArchive, request_import
from apps.archives.services.storing import sealing_writer, spool
from apps.archives.tests.factories import carry_out, export, publish_public_app
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.workspaces.models import Workspace
from apps.workspaces.tests.factories import create_test_workspace
from apps.workspaces.tests.next_release import next_release
from config.env import ROOT
from config.testing.database import second_installation


@pytest.fixture
def installation(committed_database: str, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock():
        yield committed_database
        connection.close()


@pytest.fixture
def place(installation: str) -> tuple[APIClient, Any]:
    owner = UserFactory()
    client = APIClient()
    client.force_authenticate(owner)
    return client, create_test_workspace(owner=owner)


def start_second(database: str, data: Path, archive: bytes, *arguments: str) -> dict[str, Any]:
    """What another platform reports of importing the archive."""
    path = data / "carried.tar.zst"
    path.write_bytes(archive)
    done = subprocess.run(
        [sys.executable, "-m", "apps.archives.tests.second_platform", str(path), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.local",
            "DATABASE_URL": database,
            "DATA_DIR": str(data / "second"),
            "SECRETS_KEYS": "second:" + "c2Vjb25kLWtleS1vZi1hbm90aGVyLXBsYWNlLTMyYiE=",
            "LOG_LEVEL": "ERROR",
            "ACCESS_LOG": "false",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def test_a_workspace_moves_to_another_installation(place: tuple[APIClient, Any], tmp_path: Path) -> None:
    client, workspace = place
    publish_public_app(workspace)
    result, archive = export(client, workspace)
    with second_installation() as second:
        report = start_second(second, tmp_path, archive, "moved", "doubler")
    assert report["status"] == "succeeded", report["error"]
    assert report["page"] == [200, True]
    assert report["answer"]["outputs"] == {"twice": 42.0}
    here = WorkspaceExport.objects.get(pk=result["export"]).manifest["tables"]
    there = {table["name"]: table for table in report["tables"]}
    assert len(here) == len(there) >= 10
    for table in here:
        if table["name"] == "audit_auditevent":
            # That it was imported, and that it was exported there.
            assert there[table["name"]]["rows"] == table["rows"] + 2
        else:
            assert there[table["name"]] == table


def test_an_export_is_of_one_moment(place: tuple[APIClient, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    client, workspace = place
    publish_public_app(workspace)
    written: list[str] = []
    usual = writing._add_table

    def slowly(container: Any, schema_name: str, table: Any) -> Any:
        if not written:
            # Another connection, once the snapshot stands.
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        return usual(container, schema_name, table)

    def write() -> None:
        try:
            publish_public_app(workspace, slug="meanwhile")
            written.append("meanwhile")
        finally:
            connection.close()

    monkeypatch.setattr(writing, "_add_table", slowly)
    result, _ = export(client, workspace)
    assert written == ["meanwhile"]
    tables = {
        table["name"]: table["rows"] for table in WorkspaceExport.objects.get(pk=result["export"]).manifest["tables"]
    }
    assert tables["applications_release"] == 1
    assert tables["applications_app"] == 2  # home and the first one


def test_an_archive_of_an_older_release_is_brought_to_this_one(
    place: tuple[APIClient, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, workspace = place
    publish_public_app(workspace)
    _, archive = export(client, workspace)
    # A column that this program's models needn't know, so that they can go on writing.
    column = migrations.AddField("auditevent", "note", models.CharField(max_length=20, null=True))
    release = next_release([column, migrations.RunSQL("UPDATE audit_auditevent SET note = 'moved'")])
    for module in ("apps.common.schema_shapes", "apps.archives.services.loading"):
        monkeypatch.setattr(f"{module}.present_release", lambda: release)
    done = carry_out(str(_request(archive).pk))
    assert done.status == "succeeded", done.error
    copy = Workspace.objects.get(pk=done.result["workspace"])
    assert copy.fingerprint == release.fingerprint != workspace.fingerprint
    with enter(copy), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_auditevent WHERE note = 'moved'")
        assert cursor.fetchone()[0] >= 3


def test_nothing_is_there_before_the_commit(place: tuple[APIClient, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault at the last moment takes schema, rows and workspace with it; the next attempt makes them all."""
    client, workspace = place
    publish_public_app(workspace)
    _, archive = export(client, workspace)
    operation = _request(archive)
    row = WorkspaceImport.objects.get()

    def fails(**_: Any) -> None:
        raise OSError("the power went")

    monkeypatch.setattr("apps.archives.services.imports.adopt_workspace", fails)
    assert carry_out(str(operation.pk)).status == "queued"
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [f"ws_{row.workspace_id.hex}"])
        assert cursor.fetchone() is None
    monkeypatch.undo()
    type(operation).objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now())
    done = carry_out(str(operation.pk))
    assert done.status == "succeeded", done.error
    with enter(Workspace.objects.get(pk=row.workspace_id)):
        assert AuditEvent.objects.filter(action="workspace.import").count() == 1


def _request(archive: bytes) -> Any:
    import hashlib

    identifier = new_id()
    file = spool()
    with sealing_writer(file, model="archives.WorkspaceImport", key=str(identifier)) as sealed:
        sealed.write(archive)
    received = ReceivedArchive(identifier, file, sealed.sealed_key, len(archive), hashlib.sha256(archive).hexdigest())
    owner = Workspace.objects.order_by("-created_at")[0].owner
    return request_import(archive=received, owner=owner, actor=SYSTEM, now=timezone.now())
