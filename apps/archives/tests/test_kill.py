"""Workers that are killed at each step of an export and an import."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.tests.factories import UserFactory
from apps.archives.models import WorkspaceExport, WorkspaceImport
from apps.archives.tests.factories import carry_out, export, publish_public_app, upload
from apps.audit.models import AuditEvent
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.operations.models import Operation
from apps.operations.services.sweep import sweep_operations
from apps.workspaces.models import Workspace
from apps.workspaces.tests.factories import create_test_workspace
from config.env import ROOT


@pytest.fixture
def place(committed_database: str, django_db_blocker: Any) -> Iterator[tuple[str, APIClient, Any]]:
    with django_db_blocker.unblock():
        owner = UserFactory()
        client = APIClient()
        client.force_authenticate(owner)
        workspace = create_test_workspace(owner=owner)
        publish_public_app(workspace)
        yield committed_database, client, workspace
        connection.close()


def killed(operation_id: str, step: str, where: str, *, database: str, data: Path) -> Operation:
    """The operation, as a worker left it that was killed there."""
    done = subprocess.run(
        [sys.executable, "-m", "apps.archives.tests.dying_worker", operation_id, step, where],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": database,
            "DATA_DIR": str(data),
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    return Operation.objects.get(pk=operation_id)


def taken_over(operation: Operation) -> Operation:
    """The operation, once its lease has run out and another worker has had it."""
    assert operation.status == "running"
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_operations(now=timezone.now())
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now())
    return carry_out(str(operation.pk))


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ws\\_%%'")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize(("step", "where"), [("write", "inside"), ("write", "after"), ("prove", "after")])
def test_fault_14_export_killed_at_each_step(
    place: tuple[str, APIClient, Any], tmp_path: Path, storage_folder: Path, step: str, where: str
) -> None:
    database, client, workspace = place
    asked = client.post(f"/api/v1/workspaces/{workspace.slug}/export").data["id"]
    left = killed(asked, step, where, database=database, data=tmp_path)
    row = WorkspaceExport.objects.get()
    # Nobody downloads what wasn't read back.
    assert (row.status == "ready") == ((step, where) == ("prove", "after"))
    done = taken_over(left)
    assert (done.status, done.attempt) == ("succeeded", 2), done.error
    assert client.get(done.result["download"]).status_code == 200
    assert len(list((storage_folder / "exports").iterdir())) == 1
    assert Event.objects.filter(type="workspace.exported").count() == 1


@pytest.mark.parametrize(
    ("step", "where"), [("check", "after"), ("load", "inside"), ("load", "after"), ("tidy", "inside")]
)
def test_fault_14_import_killed_at_each_step(
    place: tuple[str, APIClient, Any], tmp_path: Path, storage_folder: Path, step: str, where: str
) -> None:
    database, client, workspace = place
    _, archive = export(client, workspace)
    before, workspaces = schemas(), Workspace.objects.count()
    asked = upload(client, archive).data["id"]
    left = killed(asked, step, where, database=database, data=tmp_path)
    row = WorkspaceImport.objects.get()
    made = step == "tidy" or (step, where) == ("load", "after")
    assert row.status == ("imported" if made else "received")
    assert Workspace.objects.count() == workspaces + made
    assert schemas() - before == ({f"ws_{row.workspace_id.hex}"} if made else set())
    done = taken_over(left)
    assert (done.status, done.attempt) == ("succeeded", 2), done.error
    assert Workspace.objects.count() == workspaces + 1
    copy = Workspace.objects.get(pk=done.result["workspace"])
    assert schemas() - before == {copy.schema_name}
    assert list((storage_folder / "imports").iterdir()) == []
    assert Event.objects.filter(type="workspace.imported", workspace_id=copy.pk).count() == 1
    with enter(copy):
        assert AuditEvent.objects.filter(action="workspace.import").count() == 1
