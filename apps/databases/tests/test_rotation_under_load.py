"""Fault 53: clients come and go while the login is rotated again and again, and none of them is refused."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.rotation import look_at_draining_logins, read_credentials, rotate_secret
from apps.operations.models import Operation
from apps.operations.services.engine import run_operation
from config.testing.processes import wait_for

CONNECTIONS = 1_000
ROTATIONS = 10
CLIENTS = 6
#: Seconds for which a client goes on with credentials that it has read; then it reads them anew.
REMEMBERED = 0.4
OVERLAP = timedelta(seconds=1)
#: Seconds between two connections of a client: enough to leave the rotation, in the same process, its turn.
PAUSE = 0.03


def test_fault_53_no_connection_fails_during_ten_rotations(
    committed_database: str, make_database: Any, settings: Any
) -> None:
    settings.DATABASE_ROTATION_OVERLAP = OVERLAP
    database = make_database()
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(connect_again_and_again, database.workspace, over) for _ in range(CLIENTS)]
        try:
            for _ in range(ROTATIONS):
                rotate(database)
        finally:
            over.set()
        logins = [login for client in clients for login in client.result()]
    database.refresh_from_db()
    assert database.secret_version == 1 + ROTATIONS
    assert len(logins) >= CONNECTIONS
    assert set(logins) == {database.login("a"), database.login("b")}


def connect_again_and_again(workspace: Any, over: threading.Event) -> list[str]:
    """Read the credentials and log in with them until it is over; as whom. The first refusal ends it."""
    logins = []
    try:
        while not over.is_set() or len(logins) < CONNECTIONS / CLIENTS:
            given = read_credentials(workspace=workspace, actor=SYSTEM, now=timezone.now())
            read_at = time.monotonic()
            while time.monotonic() < read_at + REMEMBERED:
                with psycopg.connect(given["dsn"], autocommit=True) as client:
                    row = client.execute("SELECT current_user").fetchone()
                    assert row == (given["login"],)
                    logins.append(given["login"])
                time.sleep(PAUSE)
    finally:
        connection.close()
    return logins


def rotate(database: WorkspaceDatabase) -> None:
    """One whole rotation by the engine, to the end of the login before."""
    run(rotate_secret(workspace=database.workspace, actor=SYSTEM, now=timezone.now()).pk)
    assert wait_for(lambda: look_at_draining_logins(now=timezone.now()) == 0, seconds=10)
    run(Operation.objects.get(kind="databases.retire", status="queued").pk)
    database.refresh_from_db()
    assert database.drain_until is None


def run(operation_id: UUID) -> None:
    run_operation(operation_id=operation_id, owner="test", clock=timezone.now)
    assert Operation.objects.get(pk=operation_id).status == "succeeded"
