"""Bar 11: restoring a workspace's database from its backup, in the live one's place, against bare `pg_restore -j2`."""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import django
import psycopg
from psycopg import conninfo, sql

from benchmarks.bars import tell
from benchmarks.measure import alternate, seconds
from benchmarks.report import Result

#: Size of the tables and their indexes, megabytes.
MEGABYTES = int(os.environ.get("BENCH_DATABASE_MB", "450"))
#: What the bar leaves apart: the comparison with the manifest, and the backup of what is replaced.
APART = ("verify", "backup")

#: Connects all the time once it is told to: from a moment before the swap, so that it takes nothing from the loading.
_CONNECTING = """
import sys, time, psycopg
refused = back = None
sys.stdin.readline()
while True:
    began = time.monotonic()
    try:
        psycopg.connect(sys.argv[1], connect_timeout=5).close()
    except psycopg.OperationalError:
        refused, back = refused or began, None
    else:
        if refused and back is None:
            back = time.monotonic()
            print(back - refused, flush=True)
            refused = None
    time.sleep(0.001)
"""


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=2)
    place = platform.make_place()
    database = _make_database(place)
    try:
        _fill(database)
        with tempfile.TemporaryDirectory() as folder:
            _measure(place, database, Path(folder))
    finally:
        _drop(database)


def _measure(place: Any, database: Any, folder: Path) -> None:
    backup, dump = _back_up(place, database), folder / "plain.dump"
    _run(["pg_dump", "-Fc", "-f", str(dump), "-d", _address(database.name)])
    outages: list[float] = []
    steps: list[dict[str, float]] = []

    def ours() -> float:
        took, out = _restore(place, database, backup)
        steps.append(took)
        outages.append(out)
        return sum(duration for name, duration in took.items() if name not in APART)

    def reference() -> float:
        name = f"{database.prefix}_bench"
        with psycopg.connect(_address("postgres"), autocommit=True) as server:
            took = seconds(lambda: _bare(server, name, dump))
            server.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        return took

    compared = alternate(ours, reference)
    medians = {name: statistics.median(took[name] for took in steps) for name in steps[0]}
    print("medians of the steps, seconds:", medians, file=sys.stderr)
    tell(
        Result(
            bar="11",
            what=f"restore and swap {MEGABYTES} MB against `pg_restore -j2` into a new database "
            f"(apart: comparing {medians['verify']:.1f} s, backup of the old one {medians['backup']:.1f} s)",
            ours=f"{compared.ours:.2f} s",
            reference=f"{compared.reference:.2f} s",
            ratio=compared.ratio,
            wanted="≤ 1.4",
            holds=compared.ratio <= 1.4,
        )
    )
    out = statistics.median(outages)
    tell(
        Result(
            bar="11",
            what=f"the live database out, first refused to first accepted (worst of {len(outages)}: "
            f"{max(outages) * 1000:.0f} ms)",
            ours=f"{out * 1000:.0f} ms",
            reference="100 ms",
            ratio=out / 0.1,
            wanted="≤ 1",
            holds=max(outages) <= 0.1,
        )
    )


def _bare(server: psycopg.Connection[Any], name: str, dump: Path) -> None:
    server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    _run(["pg_restore", "-j2", "--no-acl", "-d", _address(name), str(dump)])


def _restore(place: Any, database: Any, backup: Any) -> tuple[dict[str, float], float]:
    """The seconds that each step took, and for how many a client that connects all the time was refused."""
    from django.utils import timezone

    from apps.databases.services.restores.kept import delete_kept_database, drop_expired_databases
    from apps.databases.services.restores.requests import request_restore
    from apps.operations.models import Operation
    from apps.operations.services.engine import run_operation

    command = [sys.executable, "-c", _CONNECTING, _login_address(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        operation_id = request_restore(
            workspace=place.workspace, backup_id=backup.pk, actor=place.actor, now=timezone.now()
        )
        began = timezone.now()
        threading.Thread(target=_tell_when_it_nears, args=(operation_id, client), daemon=True).start()
        run_operation(operation_id=operation_id, owner="bench", clock=timezone.now)
        operation = Operation.objects.get(pk=operation_id)
        if operation.status != "succeeded":
            client.kill()
            raise RuntimeError(f"The restore failed: {operation.error}")
        # Nothing to read: it was never refused, for it came in a moment before and a moment after.
        told, _, _ = select.select([client.stdout], [], [], 1)
        out = float(client.stdout.readline()) if told else 0.0
        client.kill()
    took: dict[str, float] = {}
    for record in operation.steps:
        ended = datetime.fromisoformat(record["done_at"])
        took[record["name"]] = (ended - began).total_seconds()
        began = ended
    kept_id = operation.result["kept"]["id"]
    delete_kept_database(workspace=place.workspace, kept_id=kept_id, actor=place.actor, now=timezone.now())
    drop_expired_databases(now=timezone.now())
    return took, out


def _tell_when_it_nears(operation_id: Any, client: subprocess.Popen[str]) -> None:
    from django.db import connection

    from apps.operations.models import Operation

    while not Operation.objects.filter(pk=operation_id, current_step="backup").exists():
        time.sleep(0.02)
    connection.close()
    assert client.stdin is not None
    client.stdin.write("now\n")
    client.stdin.flush()


def _make_database(place: Any) -> Any:
    from django.utils import timezone

    from apps.databases.models import DatabaseServer, WorkspaceDatabase
    from apps.databases.services.provisioning import create_database
    from apps.databases.services.servers.connections import seal_dsn
    from apps.operations.services.engine import run_operation
    from apps.plans.models import PlanLimit

    told = conninfo.conninfo_to_dict(os.environ["BENCH_SERVER"])
    with psycopg.connect(_address("postgres")) as connection:
        version = connection.info.server_version
    server = DatabaseServer(
        name="bench", host=str(told.get("host", "127.0.0.1")), port=int(told.get("port") or 5432), version=version
    )
    server.admin_dsn = seal_dsn(server.pk, _address("postgres"))
    server.save()
    operation = create_database(workspace=place.workspace, actor=place.actor, now=timezone.now())
    run_operation(operation_id=operation.pk, owner="bench", clock=timezone.now)
    PlanLimit.objects.filter(dimension__code="database.bytes").update(hard_limit=None)
    WorkspaceDatabase.objects.filter(pk=operation.target_id).update(limit_bytes=None)
    return WorkspaceDatabase.objects.select_related("server", "workspace").get(pk=operation.target_id)


def _fill(database: Any) -> None:
    """Rows as applications have them: numbers, times, words, JSON; half of the bytes in indexes or long texts."""
    rows = MEGABYTES * 2450
    with psycopg.connect(_address(database.name), autocommit=True) as inside:
        inside.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(database.ddl_role)))
        inside.execute("SELECT setseed(0.11)")
        inside.execute(
            "CREATE TABLE app.customer AS SELECT n AS id, md5(n::text) || '@example.com' AS email, "
            "'Customer ' || n AS name, now() - n * interval '1 minute' AS since "
            f"FROM generate_series(1, {rows // 5}) n"
        )
        inside.execute(
            "CREATE TABLE app.purchase AS SELECT n AS id, (random() * 100000)::int AS customer, "
            "round((random() * 1000)::numeric, 2) AS amount, now() - n * interval '1 second' AS at, "
            "jsonb_build_object('sku', md5((n % 5000)::text), 'count', n % 7) AS line, "
            f"repeat(md5(random()::text), 4) AS note FROM generate_series(1, {rows}) n"
        )
        inside.execute("ALTER TABLE app.customer ADD PRIMARY KEY (id)")
        inside.execute("CREATE UNIQUE INDEX ON app.customer (email)")
        inside.execute("ALTER TABLE app.purchase ADD PRIMARY KEY (id)")
        inside.execute("CREATE INDEX ON app.purchase (customer, at)")
        inside.execute("RESET ROLE")
        inside.execute("VACUUM ANALYZE")


def _back_up(place: Any, database: Any) -> Any:
    from django.utils import timezone

    from apps.databases.models import Backup
    from apps.databases.services.backups.requests import request_backup
    from apps.operations.services.engine import run_operation

    request_backup(workspace=place.workspace, actor=place.actor, now=timezone.now())
    backup = Backup.objects.get(database=database)
    run_operation(operation_id=backup.operation_id, owner="bench", clock=timezone.now)
    backup.refresh_from_db()
    return backup


def _drop(database: Any) -> None:
    from apps.databases.services.deletion import drop_from_server

    drop_from_server(database)


def _address(name: str) -> str:
    return conninfo.make_conninfo(os.environ["BENCH_SERVER"], dbname=name)


def _login_address(database: Any) -> str:
    from apps.databases.services.secrets import open_password

    return conninfo.make_conninfo(
        _address(database.name), user=database.login(database.active_login), password=open_password(database)
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
