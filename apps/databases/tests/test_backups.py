"""Backups of real databases: made, opened, proved, and what is done when something breaks in between."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.billing.tests.factories import set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import IllegalTransition, QuotaExceeded
from apps.databases.clients import sealed_dump
from apps.databases.errors import (
    BackupBroken,
    BackupNotUsable,
    DumpFailed,
    LargeObjectsThere,
    ProgramMissing,
    ServerUnsafe,
    StorageFull,
)
from apps.databases.models import Backup, WorkspaceDatabase
from apps.databases.services.backups import proving, taking
from apps.databases.services.backups.expiry import sweep_backups
from apps.databases.services.backups.files import fetch_dump, open_backup, require_manifest
from apps.databases.services.backups.requests import request_backup, request_prove
from apps.databases.services.migration_requests import request_migrations
from apps.databases.services.servers import open_server
from apps.databases.tests.factories import run_steps, suite_dsn
from apps.operations.models import Operation
from apps.operations.services.contexts import context_of
from apps.operations.services.engine import run_operation
from apps.secrets.errors import KeyMissing

pytestmark = pytest.mark.django_db

TABLES = """
CREATE TABLE app.customer (id int PRIMARY KEY, name text, born date, data jsonb, tags text[], raw json);
INSERT INTO app.customer SELECT g, 'name ' || g, DATE '2000-01-01' + g, jsonb_build_object('n', g), ARRAY['a', g::text],
    json_build_object('n', g) FROM generate_series(1, 1000) g;
CREATE TABLE app.empty (id int);
CREATE TABLE app.twice (n int, doubled int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO app.twice SELECT generate_series(1, 10);
"""


@pytest.fixture(autouse=True)
def folder(backup_folder: Path) -> Path:
    return backup_folder


@pytest.fixture
def database(make_database: Any) -> WorkspaceDatabase:
    made: WorkspaceDatabase = make_database()
    execute(made, TABLES)
    return made


def execute(database: WorkspaceDatabase, statements: str) -> None:
    with open_server(database.server, database=database.name) as inside:
        inside.execute(f"SET ROLE {database.ddl_role}")
        inside.execute(statements)


def ask(database: WorkspaceDatabase, **options: Any) -> Operation:
    return request_backup(workspace=database.workspace, actor=SYSTEM, now=timezone.now(), **options)


def made_by(operation: Operation) -> Backup:
    return Backup.objects.select_related("database__server").get(pk=operation.params["backup"])


def back_up(database: WorkspaceDatabase) -> Backup:
    operation = ask(database)
    run_steps(operation)
    Operation.objects.filter(pk=operation.pk).delete()
    return made_by(operation)


def prove(backup: Backup) -> Backup:
    operation = request_prove(
        workspace=backup.database.workspace, backup_id=backup.pk, actor=SYSTEM, now=timezone.now()
    )
    run_steps(operation)
    Operation.objects.filter(pk=operation.pk).delete()
    backup.refresh_from_db()
    return backup


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def scratch_databases(database: WorkspaceDatabase) -> list[str]:
    with psycopg.connect(suite_dsn()) as server:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        rows = server.execute(query, [f"{database.prefix}_p"]).fetchall()
    return [row[0] for row in rows]


class TestMaking:
    def test_backup_is_stored_with_a_manifest_of_every_table(self, database: Any, folder: Path) -> None:
        script = {"version": 1, "name": "one", "sql": "CREATE TABLE app.made AS SELECT 1 AS id"}
        act: Any = {"workspace": database.workspace, "actor": SYSTEM, "now": timezone.now()}
        request = request_migrations(migrations=[script], backup=False, **act)
        run_steps(Operation.objects.get(pk=request.operation_id))
        backup = back_up(database)
        assert backup.status == "stored"
        assert files(folder) == ["dump-0.zst.sealed", "manifest.json"]
        manifest = json.loads(next(folder.rglob("manifest.json")).read_text())
        tables = {f"{table['schema']}.{table['name']}": table["rows"] for table in manifest["tables"]}
        assert {name: rows for name, rows in tables.items() if name.startswith("app.")} == {
            "app.customer": 1000,
            "app.empty": 0,
            "app.made": 1,
            "app.twice": 10,
        }
        assert "apprun.migrations" in tables, "the platform's own is compared"
        assert (backup.tables, backup.rows) == (4, 1011), "and not counted among the workspace's"
        assert (manifest["sha256"], manifest["size_bytes"]) == (backup.sha256, backup.size_bytes)
        assert manifest["seal"]["sealed_key"] == backup.sealed_key

    def test_database_with_large_objects_is_refused_because_no_proof_could_compare_them(self, database: Any) -> None:
        with open_server(database.server, database=database.name) as inside:
            made = inside.execute("SELECT lo_from_bytea(0, 'of an operator')").fetchone()
        with pytest.raises(LargeObjectsThere):
            back_up(database)
        with open_server(database.server, database=database.name) as inside:
            inside.execute("SELECT lo_unlink(%s)", made)
        assert back_up(database).status == "stored"

    def test_stored_dump_is_sealed_and_opens_as_pg_restore_wants_it(
        self, database: Any, folder: Path, tmp_path: Path
    ) -> None:
        backup = back_up(database)
        assert b"name 77" not in next(folder.rglob("*.sealed")).read_bytes()
        fetch_dump(backup, tmp_path / "plain.dump")
        assert (tmp_path / "plain.dump").stat().st_mode & 0o777 == 0o600
        listed = subprocess.run(
            ["pg_restore", "--list", tmp_path / "plain.dump"], capture_output=True, text=True, check=True
        ).stdout
        assert "TABLE DATA app customer" in listed

    def test_hashes_are_of_the_dumps_own_moment(self, database: Any, monkeypatch: Any) -> None:
        """Rows that come while it is dumped are neither in the dump nor in the manifest: the proof holds."""
        read = sealed_dump.PgDump.read
        written = False

        def write_meanwhile(dump: Any) -> Any:
            nonlocal written
            if not written:
                written = True
                execute(database, "INSERT INTO app.customer (id) SELECT generate_series(2001, 2100)")
            return read(dump)

        monkeypatch.setattr(sealed_dump.PgDump, "read", write_meanwhile)
        backup = back_up(database)
        assert written
        assert next(t["rows"] for t in backup.manifest["tables"] if t["name"] == "customer") in (1000, 1100)
        assert prove(backup).status == "proved"

    def test_server_newer_than_pg_dump_is_refused_before_anything(self, database: Any) -> None:
        type(database.server).objects.filter(pk=database.server_id).update(version=990000)
        with pytest.raises(ProgramMissing):
            ask(database)
        assert not Backup.objects.exists()
        assert not Operation.objects.exists()

    def test_server_with_a_hole_that_a_dump_opens_is_refused_before_anything(self, database: Any) -> None:
        type(database.server).objects.filter(pk=database.server_id).update(version=150007)
        with pytest.raises(ServerUnsafe, match=r"PostgreSQL is 15\.7.*Upgrade it to 15\.8"):
            ask(database)
        assert not Backup.objects.exists()
        assert not Operation.objects.exists()

    def test_no_room_in_the_plan_is_402_before_anything(self, database: Any) -> None:
        set_limit(database.workspace, "backup.bytes", 100_000)
        WorkspaceDatabase.objects.filter(pk=database.pk).update(size_bytes=8_000_000)
        with pytest.raises(QuotaExceeded) as refused:
            ask(database)
        assert refused.value.extra["dimension"] == "backup.bytes"
        assert not Backup.objects.exists()

    def test_step_of_somebody_elses_operation_makes_one_once(self, database: Any) -> None:
        from apps.databases.services.backups.steps import back_up_now

        operation = ask(database)
        Backup.objects.all().delete()
        context = context_of(operation, clock=timezone.now)
        first = back_up_now(context, database)
        assert back_up_now(context, database) == first
        assert Backup.objects.get().kind == "before_restore"


class TestBreaking:
    def test_fault_57_pg_dump_killed_is_never_usable(self, database: Any, folder: Path, monkeypatch: Any) -> None:
        read = sealed_dump.PgDump.read

        def kill(dump: Any) -> Any:
            piece = bytes(read(dump))
            dump.process.kill()
            return memoryview(piece)

        # More than the pipe holds: it can't have ended before.
        execute(database, "CREATE TABLE app.much AS SELECT gen_random_uuid() AS id FROM generate_series(1, 100000)")
        operation = ask(database)
        with monkeypatch.context() as patch:
            patch.setattr(sealed_dump.PgDump, "read", kill)
            with pytest.raises(DumpFailed, match="signal 9"):
                run_steps(operation)
        assert_unusable(made_by(operation), folder)
        run_steps(operation)
        assert made_by(operation).status == "stored"

    def test_fault_57_storage_full_is_never_usable(self, database: Any, folder: Path, monkeypatch: Any) -> None:
        operation = ask(database)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full_disk)
            with pytest.raises(StorageFull):
                run_steps(operation, until="dump")
        assert_unusable(made_by(operation), folder)

    def test_fault_57_cut_upload_is_noticed_and_sent_again(self, database: Any, folder: Path) -> None:
        operation = ask(database)
        run_steps(operation, until="dump")
        cut(next(folder.rglob("*.sealed")))
        with pytest.raises(DumpFailed):
            taking.verify(made_by(operation), watch=lambda: None)
        run_steps(operation)
        assert prove(made_by(operation)).status == "proved"

    def test_fault_57_given_up_backup_leaves_nothing(self, database: Any, folder: Path, monkeypatch: Any) -> None:
        operation = ask(database)
        monkeypatch.setattr(taking, "save_manifest", never)
        run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
        backup = made_by(operation)
        assert (backup.status, files(folder)) == ("failed", ["dump-1.zst.sealed"])
        sweep_backups(now=timezone.now())
        backup.refresh_from_db()
        assert backup.deleted_at is not None
        assert files(folder) == []

    def test_backup_whose_operation_is_gone_fails_and_is_cleared_away(self, database: Any, folder: Path) -> None:
        operation = ask(database)
        run_steps(operation, until="dump")
        Operation.objects.all().delete()
        sweep_backups(now=timezone.now() + timedelta(hours=1))
        assert made_by(operation).status == "failed"
        assert files(folder) == []

    def test_failed_backup_is_not_taken_up_again(self, database: Any, monkeypatch: Any) -> None:
        from apps.operations.services.requests import retry_operation

        operation = ask(database)
        monkeypatch.setattr(taking, "save_manifest", never)
        run_operation(operation_id=operation.pk, owner="test", clock=timezone.now)
        with pytest.raises(IllegalTransition):
            retry_operation(operation_id=operation.pk, actor=SYSTEM, now=timezone.now())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_tail(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "one bit flipped": ("*.sealed", flip),
    "last bit flipped": ("*.sealed", flip_tail),
    "truncated": ("*.sealed", cut),
    "dump missing": ("*.sealed", Path.unlink),
    "manifest missing": ("manifest.json", Path.unlink),
    "manifest cut": ("manifest.json", cut),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_fault_58_damaged_backup_is_refused_and_proved_unusable(
    database: Any, folder: Path, tmp_path: Path, damage: str
) -> None:
    backup = back_up(database)
    pattern, harm = DAMAGE[damage]
    harm(next(folder.rglob(pattern)))
    with pytest.raises(BackupBroken):
        fetch_dump(backup, tmp_path / "plain.dump")
    assert not list(tmp_path.glob("plain.dump*"))
    proved = prove(backup)
    assert proved.status == "unusable"
    assert proved.error
    assert scratch_databases(database) == []
    with pytest.raises(BackupNotUsable):
        require_manifest(proved)


def test_fault_58_without_its_key_a_backup_opens_for_nobody(database: Any, tmp_path: Path, settings: Any) -> None:
    backup = back_up(database)
    settings.SECRETS_KEYS = ["other:" + base64.b64encode(bytes(32)).decode()]
    with pytest.raises(KeyMissing):
        fetch_dump(backup, tmp_path / "plain.dump")


class TestProving:
    def test_proved_backup_says_when_and_leaves_no_database(self, database: Any, tmp_path: Path) -> None:
        proved = prove(back_up(database))
        assert proved.status == "proved"
        assert proved.proved_at is not None
        assert scratch_databases(database) == []
        assert not list((tmp_path / "proofs").iterdir())

    def test_row_that_differs_is_found_with_its_table(self, database: Any) -> None:
        backup = back_up(database)
        for table in backup.manifest["tables"]:
            if table["name"] == "twice":
                table["hash"] = "1"
        backup.save(update_fields=["manifest"])
        proved = prove(backup)
        assert proved.status == "unusable"
        assert "app.twice" in proved.error

    def test_fault_14_scratch_database_of_a_dead_proof_is_swept(self, database: Any) -> None:
        backup = back_up(database)
        operation = request_prove(workspace=database.workspace, backup_id=backup.pk, actor=SYSTEM, now=timezone.now())
        run_steps(operation, until="load")
        (name,) = scratch_databases(database)
        with pytest.raises(psycopg.OperationalError), psycopg.connect(suite_dsn(dbname=name, user=database.login("a"))):
            pass
        assert proving.sweep_scratch_databases() == 0, "it is pending"
        Operation.objects.all().delete()
        assert proving.sweep_scratch_databases() == 1
        assert scratch_databases(database) == []


def test_view_in_a_tables_place_is_not_run_with_our_rights(database: Any, monkeypatch: Any) -> None:
    """Between the listing and the reading of tables nobody can put a view there whose functions we would run."""
    from apps.databases.clients.row_hashes import hash_rows, pin_tables

    with open_server(database.server, database=database.name) as ours, pin_tables(ours) as pinned:
        with (
            open_server(database.server, database=database.name) as theirs,
            pytest.raises(psycopg.errors.LockNotAvailable),
        ):
            theirs.execute("SET lock_timeout = '100ms'")
            theirs.execute("ALTER TABLE app.customer RENAME TO old")
        assert {table.name for table in hash_rows(ours, pinned)} >= {"customer", "twice"}


def assert_unusable(backup: Backup, folder: Path) -> None:
    assert backup.status == "running"
    assert not Backup.objects.usable().exists()
    assert files(folder) == []
    with pytest.raises(BackupNotUsable):
        require_manifest(backup)


def full_disk(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def never(*_: Any, **__: Any) -> None:
    raise BackupBroken("The storage said no.")


def test_newer_pg_dump_needs_a_newer_pg_restore(database: Any, monkeypatch: Any) -> None:
    backup = back_up(database)
    backup.manifest["pg_dump"] = 99
    with pytest.raises(ProgramMissing):
        proving.require_fitting_versions(backup, database.server)


def test_reading_gives_the_end_only_when_all_of_it_held(database: Any) -> None:
    backup = back_up(database)
    copy = io.BytesIO()
    with open_backup(backup) as dump:
        while data := dump.read(1000):
            copy.write(data)
    assert copy.getvalue().startswith(b"PGDMP")
    assert copy.tell() == backup.manifest["dump_bytes"]
    assert storages["backups"].exists(f"{backup.storage_key}/manifest.json")


def test_dump_is_opened_by_hand_with_the_key_alone(database: Any, tmp_path: Path, folder: Path) -> None:
    backup = back_up(database)
    name = backup.storage_key
    Backup.objects.all().delete()
    call_command("open_backup", name, to=tmp_path / "by-hand.dump", stdout=io.StringIO())
    subprocess.run(["pg_restore", "--list", tmp_path / "by-hand.dump"], check=True, capture_output=True)
    flip(next(folder.rglob("*.sealed")))
    with pytest.raises(CommandError):
        call_command("open_backup", name, to=tmp_path / "broken.dump", stdout=io.StringIO())
    assert not (tmp_path / "broken.dump").exists()


def test_another_backup_in_a_folder_is_not_opened_as_this_one(
    database: Any, make_database: Any, tmp_path: Path, folder: Path
) -> None:
    mine, theirs = back_up(database), back_up(make_database())
    shutil.rmtree(folder / mine.storage_key)
    shutil.copytree(folder / theirs.storage_key, folder / mine.storage_key)
    with pytest.raises(BackupBroken):
        require_manifest(mine)
    with pytest.raises(CommandError, match="another backup"):
        call_command("open_backup", mine.storage_key, to=tmp_path / "swapped.dump", stdout=io.StringIO())
    assert not (tmp_path / "swapped.dump").exists()


def test_manifest_bears_the_present_key_after_a_rotation(database: Any, folder: Path, settings: Any) -> None:
    backup = back_up(database)
    settings.SECRETS_KEYS = ["new:" + base64.b64encode(bytes(32)).decode(), *settings.SECRETS_KEYS]
    call_command("rotate_secrets", stdout=io.StringIO())
    sweep_backups(now=timezone.now())
    manifest = json.loads(next(folder.rglob("manifest.json")).read_text())
    assert manifest["seal"]["key_id"] == "new"
    backup.refresh_from_db()
    require_manifest(backup)
