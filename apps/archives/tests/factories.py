"""Exports and imports for tests: asked for by the API, carried out by the engine as a worker would."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from apps.applications.models import App
from apps.applications.services.access_policies import change_access_policy
from apps.applications.tests.factories import make_app
from apps.common.actors import SYSTEM
from apps.common.tenancy import enter
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation


def carry_out(operation_id: str) -> Operation:
    """The operation, as it is once a worker has had it."""
    run_operation(operation_id=UUID(operation_id), owner="test", clock=timezone.now)
    return Operation.objects.get(pk=operation_id)


def publish_public_app(workspace: Any, *, slug: str = "doubler") -> App:
    """A published app that anybody may use."""
    with enter(workspace):
        app = make_app(workspace, slug=slug, published=True)
        change_access_policy(
            app_id=app.pk,
            workspace=workspace,
            actor=SYSTEM,
            changes={"audience": "public"},
            may_expose=True,
            expected=None,
            now=timezone.now(),
        )
    return app


def export(client: APIClient, workspace: Any) -> tuple[dict[str, Any], bytes]:
    """The result of an export of the workspace, and the downloaded archive."""
    answer = client.post(f"/api/v1/workspaces/{workspace.slug}/export")
    assert answer.status_code == 202, answer.data
    done = carry_out(answer.data["id"])
    assert done.status == "succeeded", done.error
    download = client.get(done.result["download"])
    assert download.status_code == 200
    archive = b"".join(download.streaming_content)
    assert hashlib.sha256(archive).hexdigest() == done.result["sha256"]
    assert len(archive) == done.result["size_bytes"]
    return done.result, archive


def upload(client: APIClient, archive: bytes, **fields: str) -> Any:
    """The answer to an import of the archive."""
    file = SimpleUploadedFile("archive.tar.zst", archive, content_type="application/zstd")
    return client.post("/api/v1/workspaces/import", {"archive": file, **fields}, format="multipart")


def bring(client: APIClient, archive: bytes, **fields: str) -> Operation:
    """The operation of an import, carried out."""
    answer = upload(client, archive, **fields)
    assert answer.status_code == 202, answer.data
    return carry_out(answer.data["id"])
