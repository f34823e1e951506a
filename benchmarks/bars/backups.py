"""Bar 9: backing up a database of about 450 MB, against ``pg_dump -Fc``.

The steps of ``databases.backup`` that the worker runs (dump with row hashes, verify, manifest), in this process, to the
storage on disk. Sealing is measured with and without; the product always seals.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django
import psycopg
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from benchmarks.bars import tell
from benchmarks.measure import Comparison, alternate, seconds
from benchmarks.places import database, own_name, sibling
from benchmarks.report import Result

NAME = own_name("backed_up")
ROUNDS = 7

#: A shop: people, what they ordered, what they did on its pages, and keys that don't compress. With all indexes some
#: 450 MB on disk, of which ``pg_dump -Fc`` makes about 97 MB.
TABLES = """
CREATE SCHEMA app;
CREATE TABLE app.customers (
    id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text, city text, created_at timestamptz,
    balance numeric(12,2));
INSERT INTO app.customers SELECT g, 'user' || g || '@example' || (g % 97) || '.com',
    initcap((array['anna','li wei','joão','maría','peter','fatima','olga','kofi'])[1 + g % 8]) || ' '
        || substr(md5(g::text), 1, 8),
    (array['Berlin','Shanghai','Lagos','São Paulo','Pune','Osaka'])[1 + g % 6],
    timestamptz '2024-01-01 UTC' + g * interval '37 seconds', (g::bigint * 7919 % 1000000) / 100.0
    FROM generate_series(1, 300000) g;
CREATE TABLE app.orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES app.customers, status text, total numeric(12,2),
    note text, placed_at timestamptz);
INSERT INTO app.orders SELECT g, 1 + g * 31::bigint % 300000,
    (array['new','paid','packed','sent','returned'])[1 + g % 5], (g::bigint * 104729 % 500000) / 100.0,
    CASE WHEN g % 3 = 0 THEN 'please leave at the door ' || g % 1000 END,
    timestamptz '2024-01-01 UTC' + g * interval '11 seconds' FROM generate_series(1, 1000000) g;
CREATE TABLE app.events (id uuid PRIMARY KEY, customer_id bigint, kind text, data jsonb, at timestamptz);
INSERT INTO app.events SELECT md5('e' || g)::uuid, 1 + g * 17::bigint % 300000,
    (array['page.viewed','cart.changed','order.placed','mail.sent'])[1 + g % 4],
    jsonb_build_object('path', '/products/' || g % 5000, 'referrer', 'https://search.example/?q=' || g % 700,
        'milliseconds', g * 13::bigint % 2000, 'agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'),
    timestamptz '2024-01-01 UTC' + g * interval '23 seconds' FROM generate_series(1, 500000) g;
CREATE TABLE app.sessions (id bigint PRIMARY KEY, customer_id bigint, token text, fingerprint text);
INSERT INTO app.sessions SELECT g, 1 + g * 13::bigint % 300000, md5('t' || g) || md5('u' || g),
    md5('f' || g) || md5('h' || g) FROM generate_series(1, 650000) g;
"""


def main() -> None:
    django.setup()
    with database(os.environ["BENCH_SERVER"], NAME) as url, tempfile.TemporaryDirectory() as folder:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)
            connection.execute("VACUUM ANALYZE")
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        call_command("migrate_schemas", "--shared", "--verbosity", "0")
        call_command("bootstrap", slots=1, verbosity=0)
        _measure(url, Path(folder), row[0])


def _measure(url: str, folder: Path, size: int) -> None:
    from django.conf import settings  # noqa: PLC0415 - after setup

    from config.storage_urls import backup_storage  # noqa: PLC0415

    storages = {**settings.STORAGES, "backups": backup_storage("", folder=str(folder / "backups"))}
    with override_settings(STORAGES=storages):
        target = _target(url)
        sizes: dict[str, int] = {}

        def ours() -> float:
            taken, sizes["ours"] = _back_up(target)
            return taken

        def reference() -> float:
            file = folder / "reference.dump"
            taken = seconds(lambda: subprocess.run(["pg_dump", "-Fc", "-f", file, url], check=True))
            sizes["reference"] = file.stat().st_size
            file.unlink()
            return taken

        ours()
        sealed = alternate(ours, reference, rounds=ROUNDS)
        with _unsealed(), _unhashed():
            bare = alternate(ours, reference, rounds=3)
    _tell(sealed, sizes, size)
    _tell_bare(bare)


def _target(url: str) -> Any:
    """The rows that a backup needs; the database itself is there."""
    from apps.accounts.tests.factories import UserFactory  # noqa: PLC0415 - after setup
    from apps.common.ids import new_id  # noqa: PLC0415
    from apps.databases.models import DatabaseServer, WorkspaceDatabase  # noqa: PLC0415
    from apps.databases.services.servers.connections import seal_dsn  # noqa: PLC0415
    from apps.workspaces.models import Workspace  # noqa: PLC0415

    owner: Any = UserFactory()
    workspace = Workspace.objects.get(owner=owner)
    with psycopg.connect(url) as connection:
        version = connection.info.server_version
    server = DatabaseServer(id=new_id(), name="bench", host="127.0.0.1", version=version)
    server.admin_dsn = seal_dsn(server.pk, sibling(url, "postgres"))
    server.save(force_insert=True)
    return WorkspaceDatabase.objects.create(id=new_id(), workspace=workspace, server=server, name=NAME, status="ready")


def _back_up(target: Any) -> tuple[float, int]:
    """Seconds of a whole backup, and the bytes that it takes."""
    from apps.common.ids import new_id  # noqa: PLC0415 - after setup
    from apps.databases.clients.backup_store import delete_folder  # noqa: PLC0415
    from apps.databases.models import Backup  # noqa: PLC0415
    from apps.databases.services.backups import taking  # noqa: PLC0415
    from apps.databases.services.backups.requests import write_down  # noqa: PLC0415

    backup = write_down(Backup(id=new_id()), target, kind="manual", operation_id=new_id(), now=timezone.now())

    def work() -> None:
        taking.check(backup)
        taking.dump(backup, attempt=1, watch=lambda: None)
        backup.refresh_from_db()
        taking.verify(backup, watch=lambda: None)
        taking.publish(backup, now=timezone.now())
        taking.record(backup, now=timezone.now())

    taken = seconds(work)
    backup.refresh_from_db()
    delete_folder(backup.storage_key)
    if backup.status != "stored" or backup.rows != 2_450_000:
        raise RuntimeError(f"The backup is {backup.status} with {backup.rows} rows")
    return taken, backup.size_bytes


def _unsealed() -> Any:
    """The same without encryption, to know what it costs."""

    class Through:
        def __init__(self, target: Any, **_: Any) -> None:
            self.write: Callable[[bytes], Any] = target.write
            self.sealed_key = "v1.none.none.none"

        def close(self) -> None:
            """Nothing is held back."""

    return patch("apps.databases.clients.sealed_dump.SealedWriter", Through)


def _unhashed() -> Any:
    return patch("apps.databases.services.backups.taking.hash_rows", lambda *_args, **_options: _Known())


class _Known(list[Any]):
    """No tables, and yet as many rows as there are, so that the check above holds."""

    def __iter__(self) -> Any:
        from apps.databases.clients.row_hashes import TableRows  # noqa: PLC0415 - after setup

        return iter([TableRows("app", "all", 2_450_000, "0")])


def _tell(found: Comparison, sizes: dict[str, int], size: int) -> None:
    factor = 1 / found.ratio
    smaller = sizes["ours"] <= sizes["reference"]
    tell(
        Result(
            bar="9",
            what=f"back up {size / 1e6:,.0f} MB: dumped, hashed by table, zstd, sealed, SHA-256, read back",
            ours=f"{found.ours:.2f} s, {sizes['ours'] / 1e6:.0f} MB",
            reference=f"pg_dump -Fc {found.reference:.2f} s, {sizes['reference'] / 1e6:.0f} MB",
            ratio=factor,
            wanted="≥ 2.5, no larger",
            holds=factor >= 2.5 and smaller,
        )
    )


def _tell_bare(found: Comparison) -> None:
    tell(
        Result(
            bar="9",
            what="the same without sealing and row hashes",
            ours=f"{found.ours:.2f} s",
            reference=f"pg_dump -Fc {found.reference:.2f} s",
            ratio=1 / found.ratio,
            wanted="(for comparison)",
            holds=True,
        )
    )


if __name__ == "__main__":
    main()
