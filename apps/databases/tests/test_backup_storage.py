"""Backups in an object storage: a real S3 server (moto's), over HTTP on loopback."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import override_settings

from apps.databases.clients import backup_store
from apps.databases.errors import BackupFileMissing, DumpFailed, StorageUnavailable
from apps.databases.tests.test_backups import back_up, prove
from config.storage_urls import backup_storage
from config.testing.processes import wait_for

_BUCKET = "apprun-backups"


@pytest.fixture(scope="module")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        assert wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0), log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def bucket(s3_address: str, monkeypatch: Any, settings: Any, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = boto3.client("s3", endpoint_url=s3_address, region_name="us-east-1")
    client.create_bucket(Bucket=_BUCKET)
    url = f"s3://{_BUCKET}/workspaces?endpoint={s3_address}&region=us-east-1&addressing=path"
    settings.BACKUP_SCRATCH_FOLDER = str(tmp_path / "proofs")
    with override_settings(STORAGES={**settings.STORAGES, "backups": backup_storage(url, folder="/unused")}):
        yield client
    for item in client.list_objects_v2(Bucket=_BUCKET).get("Contents", []):
        client.delete_object(Bucket=_BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=_BUCKET)


def names(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket=_BUCKET).get("Contents", [])]


@pytest.mark.django_db
def test_backup_is_made_and_proved_in_an_object_storage(bucket: Any, make_database: Any) -> None:
    backup = back_up(make_database())
    assert [name.rpartition("/")[2] for name in names(bucket)] == ["dump-0.zst.sealed", "manifest.json"]
    assert all(name.startswith("workspaces/databases/") for name in names(bucket))
    assert prove(backup).status == "proved"
    backup_store.delete_folder(backup.storage_key)
    assert names(bucket) == []


class _Stream(io.RawIOBase):
    """Megabytes from nowhere, that may break off."""

    name = "stream"

    def __init__(self, pieces: int, *, breaks: bool = False) -> None:
        self.left, self.breaks = pieces, breaks

    def read(self, size: int = -1) -> bytes:
        if not self.left and self.breaks:
            raise DumpFailed("it broke")
        count = self.left if size < 0 else min(self.left, max(1, size >> 20))
        self.left -= count
        return bytes(count << 20)

    def chunks(self) -> Iterator[bytes]:
        while data := self.read(1 << 20):
            yield data


def test_long_stream_is_uploaded_in_parts(bucket: Any) -> None:
    backup_store.save_file("long/file", _Stream(150))
    assert backup_store.file_size("long/file") == 150 << 20
    head = bucket.head_object(Bucket=_BUCKET, Key="workspaces/long/file")
    assert head["ETag"].strip('"').endswith("-3"), "three parts of at most 64 MiB"


def test_fault_57_upload_that_breaks_off_leaves_nothing(bucket: Any) -> None:
    with pytest.raises(DumpFailed, match="it broke"):
        backup_store.save_file("cut/file", _Stream(150, breaks=True))
    assert names(bucket) == []
    assert not bucket.list_multipart_uploads(Bucket=_BUCKET).get("Uploads")
    with pytest.raises(BackupFileMissing), backup_store.open_file("cut/file"):
        pass


def test_fault_57_stream_that_breaks_off_leaves_no_file_in_a_folder(backup_folder: Path) -> None:
    with pytest.raises(DumpFailed):
        backup_store.save_file("cut/file", _Stream(3, breaks=True))
    assert [path for path in backup_folder.rglob("*") if path.is_file()] == []


def test_parts_of_killed_processes_are_swept_with_their_folder(backup_folder: Path) -> None:
    backup_store.save_file("one/file", _Stream(1))
    (backup_folder / "one" / ".file.abc.part").write_bytes(b"half")
    assert storages["backups"].listdir("one") == ([], ["file"])
    backup_store.delete_folder("one")
    assert list(backup_folder.iterdir()) == []


def test_storage_that_does_not_answer_is_unavailable(settings: Any, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    storage = backup_storage("s3://nowhere?endpoint=http://127.0.0.1:9&region=x&addressing=path", folder="")
    with (
        override_settings(STORAGES={**settings.STORAGES, "backups": storage}),
        pytest.raises(StorageUnavailable) as refused,
    ):
        backup_store.require_storage()
    # Where it is, the operators read in their log, and members not in their operations.
    assert "127.0.0.1:9" in caplog.text
    assert "127.0.0.1" not in refused.value.detail


@pytest.mark.parametrize("url", ["ftp://x", "s3://", "s3://key:secret@bucket", "s3://bucket?colour=red"])
def test_storage_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        backup_storage(url, folder="/x")
