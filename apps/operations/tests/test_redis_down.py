"""Operations while Redis is stopped and started again, with processes that use a Redis of this test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection

from apps.operations.models import Operation
from apps.operations.tests import probe
from config.env import ROOT
from config.services.ports import pick_port
from config.services.programs import find_redis
from config.testing.processes import StartWorker, wait_for

PROBE = "apps.operations.tests.probe"
_SETUP = "import django; django.setup(); from django.utils import timezone; "
ASK = _SETUP + (
    f"import {PROBE}; from apps.common.actors import SYSTEM; "
    "from apps.operations.services.requests import request_operation; "
    "print(request_operation(kind='probe.work', target_id='x', actor=SYSTEM, now=timezone.now()).pk)"
)
SWEEP = _SETUP + (
    f"import {PROBE}; from datetime import timedelta; from apps.operations.services.sweep import sweep_operations; "
    "sweep_operations(now=timezone.now() + timedelta(seconds=15))"
)


class OwnRedis:
    """A Redis that forgets everything when it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.port = pick_port(preferred=None, taken=set())
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(find_redis().path), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        assert wait_for(self._answers, seconds=10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.ConnectionError:
            return False


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.stop()


def run(code: str, *, database: str, broker: str) -> str:
    """What the code prints, in a process of the platform with this database and this Redis."""
    given = {"DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": database, "REDIS_URL": broker}
    given["REDIS_KEY_PREFIX"] = settings.REDIS_KEY_PREFIX
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


@pytest.mark.timeout(180)
def test_fault_15_redis_down_work_is_written_down_and_done_when_it_is_back(
    committed_database: str, worker_process: StartWorker, own_redis: OwnRedis, django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock():
        probe.make_table()
        worker = worker_process(include=PROBE, REDIS_URL=own_redis.url)
        own_redis.stop()
        operation_id = run(ASK, database=committed_database, broker=own_redis.url)
        operation = Operation.objects.get(pk=operation_id)
        assert operation.status == "queued", "asked for without Redis, and nothing is lost"
        own_redis.start()
        run(SWEEP, database=committed_database, broker=own_redis.url)

        def done() -> bool:
            operation.refresh_from_db()
            return bool(operation.status == "succeeded")

        assert wait_for(done, seconds=60), worker.read_log()[-3000:]
        assert probe.effects() == ["first", "second", "third"]
        connection.close()
