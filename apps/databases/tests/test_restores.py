"""What restores do and leave, carried out in this process on a real server."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.utils import timezone

from apps.billing.tests.factories import quota_of, set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.databases.clients.applied import AppliedMigration, prepare_record, read_record, write_record
from apps.databases.errors import RestoreClearedAway, SessionsRemain
from apps.databases.models import Backup, KeptDatabase, Restore, SchemaMigration
from apps.databases.services.connections import owner_session
from apps.databases.services.restores import steps, swapping
from apps.databases.services.restores.kept import delete_kept_database, drop_expired_databases
from apps.databases.services.restores.settling import delete_forgotten_dumps, settle_due_restores
from apps.databases.services.servers import open_server
from apps.databases.services.storage import measure_database
from apps.databases.tests.test_pg_restore import ENDLESS
from apps.databases.tests.test_restores_workers import Place, carry_out, place
from apps.databases.tests.test_swap import address, ask, run
from apps.events.models import Event
from apps.operations.errors import StepFailed
from apps.operations.models import Operation
from apps.operations.services.requests import cancel_operation, retry_operation

__all__ = ["place"]


def done(operation: Operation) -> KeptDatabase:
    assert carry_out(operation).status == "succeeded", operation.error
    return KeptDatabase.objects.get(operation_id=operation.pk)


def apply_migration(place: Place, version: int, sql: str) -> None:
    """As the service does, without its operation."""
    with open_server(place.database.server, database=place.name) as admin:
        prepare_record(admin, owner=place.database.ddl_role)
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    now = timezone.now()
    with owner_session(place.database) as session:
        read_record(session)
        session.execute(sql)  # type: ignore[call-overload]
        write_record(session, AppliedMigration(version, f"m{version}", sql, checksum, now, 1, uuid4()))
    SchemaMigration.objects.create(
        database=place.database, version=version, name=f"m{version}", sql=sql, checksum=checksum, applied_at=now
    )
    place.database.revision = version
    place.database.save()


def test_swap_back_undoes_a_restore(place: Place) -> None:
    kept = done(place.restore())
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (5000)")
    again = done(place.put_back(kept))
    assert (place.notes(), place.notes(again.name)) == (1005, 1001)
    assert place.names() == {place.name, again.name}
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (6000)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        place.as_workspace(again.name, "SET TRANSACTION READ WRITE; DELETE FROM app.note")
    kept.refresh_from_db()
    assert kept.dropped_at is not None


def test_copy_leaves_the_live_one_alone(place: Place) -> None:
    version = place.database.secret_version
    with psycopg.connect(address(place.name)) as session:
        session.execute("SELECT 1")
        copy = done(place.restore(into_new=True))
        assert session.execute("SELECT count(*) FROM app.note").fetchone() == (1005,), "its sessions go on"
    assert copy.origin == "copy"
    assert (place.notes(), place.notes(copy.name)) == (1005, 1000)
    place.as_workspace(copy.name, "SELECT * FROM app.note")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        place.as_workspace(copy.name, "SET TRANSACTION READ WRITE; DELETE FROM app.note")
    place.database.refresh_from_db()
    assert place.database.secret_version == version
    assert Event.objects.filter(type="database.copied", data__name=copy.name).exists()


def test_kept_one_is_dropped_when_its_time_is_over_or_it_is_given_up(place: Place) -> None:
    kept = done(place.restore())
    assert drop_expired_databases(now=kept.keep_until - timedelta(seconds=1)) == 0
    delete_kept_database(workspace=place.workspace, kept_id=kept.pk, actor=SYSTEM, now=timezone.now())
    assert drop_expired_databases(now=timezone.now()) == 1
    assert place.names() == {place.name}


def test_pools_renew_and_the_size_counts_what_is_kept(place: Place) -> None:
    version = place.database.secret_version
    kept = done(place.restore())
    place.database.refresh_from_db()
    kept.refresh_from_db()
    assert place.database.secret_version == version + 1
    live = ask("postgres", f"SELECT pg_database_size('{place.name}')")[0][0]
    assert kept.size_bytes > 0
    # A vacuum may come between two looks.
    assert place.database.size_bytes == pytest.approx(live + kept.size_bytes, abs=500_000)


def test_what_a_copy_takes_counts_at_once_and_no_more_when_it_is_dropped(place: Place) -> None:
    before = measure_database(database_id=place.database.pk, now=timezone.now()).size_bytes
    kept = done(place.restore(into_new=True))
    place.database.refresh_from_db()
    assert kept.size_bytes > 5_000_000
    # A vacuum may come between two looks.
    assert place.database.size_bytes == pytest.approx(before + kept.size_bytes, abs=500_000)
    later = kept.keep_until + timedelta(seconds=1)
    assert drop_expired_databases(now=later) == 1
    place.database.refresh_from_db()
    assert place.database.size_bytes == pytest.approx(before, abs=500_000)
    assert place.database.size_measured_at == later


def test_fault_61_backup_of_an_older_revision_says_which_migrations_are_missing(place: Place) -> None:
    apply_migration(place, 1, "CREATE TABLE app.first (id int)")
    place.backup = place.back_up()
    apply_migration(place, 2, "CREATE TABLE app.second (id int)")
    apply_migration(place, 3, "CREATE TABLE app.third (id int)")
    operation = place.restore()
    kept = done(operation)
    missing = [{"version": 2, "name": "m2"}, {"version": 3, "name": "m3"}]
    assert operation.result["missing_migrations"] == missing
    assert operation.result["revision"] == 1
    place.database.refresh_from_db()
    assert place.database.revision == 1
    assert list(SchemaMigration.objects.values_list("version", flat=True)) == [1]
    assert Event.objects.get(type="database.restored").data["missing_migrations"] == missing
    # Put back, they are there again.
    again = done(place.put_back(kept))
    place.database.refresh_from_db()
    assert (place.database.revision, again.missing_migrations) == (3, [])
    assert list(SchemaMigration.objects.values_list("version", flat=True)) == [1, 2, 3]


def test_failing_restore_leaves_the_live_one_and_is_cleared_away(place: Place, monkeypatch: Any) -> None:
    def differ(*_args: Any) -> Any:
        raise StepFailed("The rows of app.note differ.", code="restore_differs")

    monkeypatch.setattr(steps, "compare_with_manifest", differ)
    operation = place.restore()
    assert carry_out(operation).status == "failed"
    assert operation.error["code"] == "restore_differs"
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (7000)")
    assert len(place.names()) == 2, "kept for a Retry"
    assert settle_due_restores(now=timezone.now()) == 0
    later = timezone.now() + timedelta(hours=1, seconds=1)
    assert settle_due_restores(now=later) == 1
    assert place.names() == {place.name}
    assert quota_of(place.database.workspace, "database.bytes").reserved == 0
    with pytest.raises(RestoreClearedAway):
        retry_operation(operation_id=operation.pk, actor=SYSTEM, now=later)


def test_fault_54_restore_of_what_never_ends_fails_and_leaves_the_live_one(place: Place, settings: Any) -> None:
    settings.DATABASE_LOAD_LIMIT = timedelta(seconds=1)
    run(
        place.name,
        f'SET ROLE "{place.database.ddl_role}"',
        ENDLESS,
        "SET app.armed = 'no'",
        "CREATE TABLE app.trap (word text CHECK (app.endless(word))); INSERT INTO app.trap VALUES ('x')",
    )
    place.backup = place.back_up()
    failed = carry_out(place.restore())
    assert (failed.status, failed.error["code"]) == ("failed", "dump_not_restorable")
    assert "took longer than 0:00:01" in failed.error["detail"]
    assert place.notes() == 1005
    loaders = f"SELECT count(*) FROM pg_roles WHERE starts_with(rolname::text, '{place.database.prefix}_l')"
    assert ask("postgres", loaders) == [(0,)]


def test_retry_goes_on_from_the_step_that_failed(place: Place, monkeypatch: Any) -> None:
    def differ(*_args: Any) -> Any:
        raise StepFailed

    with monkeypatch.context() as patch:
        patch.setattr(steps, "compare_with_manifest", differ)
        operation = place.restore()
        assert carry_out(operation).status == "failed"
    retry_operation(operation_id=operation.pk, actor=SYSTEM, now=timezone.now())
    done(operation)
    place.require_restored(operation)


def test_swap_that_fails_lets_clients_in_again(place: Place, monkeypatch: Any) -> None:
    def remain(*_args: Any, **_options: Any) -> Any:
        raise SessionsRemain("They stay.")

    with monkeypatch.context() as patch:
        patch.setattr(swapping, "exchange", remain)
        operation = place.restore()
        assert carry_out(operation).status == "queued"
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (7000)")
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now())
    kept = done(operation)
    assert place.notes(kept.name) == 1006, "what was written between is in the kept one"


def test_fault_17_canceled_before_the_fence_nothing_is_left(place: Place, monkeypatch: Any) -> None:
    operation = place.restore()
    real = steps.compare_with_manifest

    def cancel(*args: Any) -> Any:
        cancel_operation(operation_id=operation.pk, actor=SYSTEM, now=timezone.now())
        return real(*args)

    monkeypatch.setattr(steps, "compare_with_manifest", cancel)
    assert carry_out(operation).status == "canceled"
    assert settle_due_restores(now=timezone.now()) == 1
    assert place.names() == {place.name}
    assert place.notes() == 1005
    assert quota_of(place.database.workspace, "database.bytes").reserved == 0


def test_restore_that_has_no_room_is_refused_before_anything_is_made(place: Place) -> None:
    place.database.size_bytes = 9_999_999
    place.database.save()
    set_limit(place.database.workspace, "database.bytes", 10_000_000)
    with pytest.raises(QuotaExceeded):
        place.restore()
    assert not Restore.objects.exists()
    assert not Operation.objects.filter(kind="databases.restore").exists()


def _flip_a_bit(folder: Path, backup: Backup, settings: Any) -> None:
    path = folder / backup.storage_key / backup.manifest["file"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(folder: Path, backup: Backup, settings: Any) -> None:
    path = folder / backup.storage_key / backup.manifest["file"]
    os.truncate(path, path.stat().st_size - 1)


def _lose_the_manifest(folder: Path, backup: Backup, settings: Any) -> None:
    (folder / backup.storage_key / "manifest.json").unlink()


def _lose_the_dump(folder: Path, backup: Backup, settings: Any) -> None:
    (folder / backup.storage_key / backup.manifest["file"]).unlink()


def _lie_about_the_rows(folder: Path, backup: Backup, settings: Any) -> None:
    manifest = {**backup.manifest, "tables": [{**one, "hash": "7"} for one in backup.manifest["tables"]]}
    Backup.objects.filter(pk=backup.pk).update(manifest=manifest)


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (_flip_a_bit, "backup_broken"),
        (_truncate, "backup_broken"),
        (_lose_the_manifest, "backup_file_missing"),
        (_lose_the_dump, "backup_file_missing"),
        (_lie_about_the_rows, "backup_broken"),
    ],
)
def test_fault_58_broken_backup_is_refused_and_the_live_one_untouched(
    place: Place, backup_folder: Path, settings: Any, harm: Callable[..., None], code: str
) -> None:
    harm(backup_folder, place.backup, settings)
    operation = place.restore()
    assert carry_out(operation).status == "failed"
    assert operation.error["code"] == code
    assert place.notes() == 1005
    place.as_workspace(place.name, "INSERT INTO app.note VALUES (7000)")
    settle_due_restores(now=timezone.now() + timedelta(hours=2))
    assert place.names() == {place.name}


def test_fault_58_without_the_key_nothing_is_restored_until_it_is_back(place: Place, settings: Any) -> None:
    keys = settings.SECRETS_KEYS
    operation = place.restore()
    other = f"other:{base64.b64encode(bytes(32)).decode()}"
    settings.SECRETS_KEYS = [other]
    assert carry_out(operation).status == "queued"
    assert operation.error["code"] == "sealing_key_missing"
    settings.SECRETS_KEYS = keys
    assert place.notes() == 1005
    Operation.objects.filter(pk=operation.pk).update(next_attempt_at=timezone.now())
    done(operation)
    place.require_restored(operation)


def test_dumps_of_dead_workers_are_deleted_some_day(settings: Any, tmp_path: Path) -> None:
    """Decrypted ones: of restores and of proofs, whole and half-fetched."""
    folders = tmp_path / "restores", tmp_path / "proofs"
    settings.DATABASE_RESTORE_FOLDER, settings.BACKUP_SCRATCH_FOLDER = map(str, folders)
    for folder in folders:
        folder.mkdir()
        for name, age in (("old.dump", 3700), ("old.dump.part", 3700), ("new.dump", 60), ("new.dump.part", 60)):
            path = folder / name
            path.write_bytes(b"x")
            os.utime(path, (timezone.now().timestamp() - age,) * 2)
    assert delete_forgotten_dumps() == 4
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == ["new.dump", "new.dump.part"]
