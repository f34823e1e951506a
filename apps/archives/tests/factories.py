"""Exports and imports for tests: asked for by the API, carried out by the engine as a worker would."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from apps.applications.models import App
from apps.applications.services.access_policies import change_access_policy
from apps.applications.tests.factories import make_app
from apps.archives.services.containers import ContainerWriter, read_members
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


def members_of(archive: bytes) -> list[tuple[str, bytes]]:
    """Names and contents, in order."""
    return list(read_members(io.BytesIO(archive), unpacked_max=1 << 40))


def packed(members: Iterable[tuple[str, bytes]]) -> bytes:
    """An archive with these members, whatever they are."""
    target = io.BytesIO()
    container = ContainerWriter(target)
    for name, content in members:
        container.add(name, content)
    container.close()
    return target.getvalue()


def forged(archive: bytes, *, table: str = "", rows: Callable[[bytes], bytes] = bytes, **manifest: Any) -> bytes:
    """The archive with the rows of a table and members of its manifest changed, and a manifest that agrees."""
    changed: list[tuple[str, bytes]] = []
    said: dict[str, Any] = {}
    for name, content in members_of(archive):
        if name == f"tables/{table}/000001.copy":
            content = rows(content)
            said = {
                "parts": 1,
                "rows": content.count(b"\n"),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        if name == "manifest.json":
            told = json.loads(content)
            for record in told["tables"]:
                record |= said if record["name"] == table else {}
            content = json.dumps(told | manifest).encode()
        changed.append((name, content))
    return packed(changed)
