"""docker-compose.yml without an engine: every service's command, environment and health check as local processes.

What this can't show: that the images build and start, file ownership in volumes, the containers' network, and limits
such as a read-only root. What it does show: each command and variable is accepted by the real programs under the
production settings, the services find each other, and each health check tells working from not working.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from config.env import ROOT
from config.services.accounts import choose_account, make_folder
from config.services.ports import pick_port
from config.services.programs import find_postgres
from config.workers import WORKER_QUEUES, describe_worker, name_setting, name_worker

from .composing import interpolate, read_compose, read_image_environment
from .launching import assert_nothing_is_left, wait_until

pytestmark = [pytest.mark.xdist_group("compose"), pytest.mark.timeout(300)]

#: The services that run as the servers' account, and whose folder they work in.
UNPRIVILEGED = {"postgres": "postgres", "backup": "postgres", "restore": "postgres", "redis": "redis"}
COMPOSE_FILE = ROOT / "docker-compose.yml"
REQUIRED = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "SECRETS_KEYS", "ALLOWED_HOSTS", "BASE_URL")


@dataclass
class Stack:
    """The compose file's services as processes on this machine."""

    folder: Path
    variables: dict[str, str]
    services: dict[str, Any]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """The image's, then the service's, with the container's paths replaced by places of this machine."""
        own = dict(self.services[name].get("environment", {}))
        if UNPRIVILEGED.get(name) == "postgres":
            return self._postgres_image_environment() | own
        if name == "redis":
            return own | {"PATH": os.environ["PATH"]}
        image = read_image_environment(ROOT / "Dockerfile")
        places = {"DATA_DIR": str(self.folder / "data"), "STATIC_ROOT": str(self.folder / "static")}
        packages = str(Path(sys.executable).parent)
        return image | {"PATH": image["PATH"].replace("/opt/venv/bin", packages)} | own | places

    def _postgres_image_environment(self) -> dict[str, str]:
        """The image's, backup.env's, and places of this machine for what the image has at fixed ones."""
        image = read_image_environment(ROOT / "deploy" / "postgres" / "Dockerfile")
        program, postgres = find_postgres(data=self.folder / "none"), self.folder / "postgres"
        return {
            "PATH": f"{program.path.parent}:{os.environ['PATH']}:{Path(sys.executable).parent}",
            "LC_ALL": "C",
            **image,
            **read_backup_settings(),
            "PYTHONPATH": str(postgres / "programs"),
            "PGDATA": str(postgres / "data"),
            "PGHOST": self.variables["POSTGRES_SOCKETS"],
            "RECOVERY_STATE": str(postgres / "state"),
            "RECOVERY_METRICS": str(postgres / "state" / "apprun.prom"),
            "PGBACKREST_CONFIG": str(postgres / "programs" / "pgbackrest.conf"),
            "PGBACKREST_CONFIG_INCLUDE_PATH": str(postgres / "none"),
            "PGBACKREST_LOCK_PATH": str(postgres / "locks"),
            "PGBACKREST_REPO1_PATH": str(postgres / "repository"),
            "PGBACKREST_PG1_PATH": str(postgres / "data"),
            "PGBACKREST_PG1_SOCKET_PATH": self.variables["POSTGRES_SOCKETS"],
        }

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Starts the service's command, exactly as it stands in the file."""
        account = choose_account(data_folder=self.folder / "none") if name in UNPRIVILEGED else None
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in self.services[name]["command"]],
                cwd=self.folder / UNPRIVILEGED[name] if account else ROOT,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **(account.as_popen_arguments() if account else {}),
            )
        self.running[name] = process
        return process

    def is_healthy(self, name: str) -> bool:
        """Runs the service's health check, exactly as it stands in the file."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        command = ["/bin/sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        account = choose_account(data_folder=self.folder / "none") if name in UNPRIVILEGED else None
        with (self.folder / f"{name}.log").open("ab") as log:
            result = subprocess.run(
                command,
                env=self.environment(name),
                cwd=self.folder / UNPRIVILEGED[name] if account else ROOT,
                stdout=log,
                stderr=log,
                check=False,
                **(account.as_popen_arguments() if account else {}),
            )
        return result.returncode == 0

    def run_as_postgres(self, *command: str) -> str:
        """What a program prints that is run in the container of `backup`."""
        account = choose_account(data_folder=self.folder / "none")
        return subprocess.run(
            command,
            env=self.environment("backup"),
            cwd="/",
            check=True,
            capture_output=True,
            text=True,
            **(account.as_popen_arguments() if account else {}),
        ).stdout

    def wait_until_healthy(self, name: str) -> None:
        wait_until(lambda: self.running[name].poll() is not None or self.is_healthy(name), seconds=60)
        assert self.is_healthy(name), (self.folder / f"{name}.log").read_text()[-4000:]

    def stop(self) -> None:
        for name in reversed(self.running):
            signal_name = self.services[name].get("stop_signal", "SIGTERM")
            process = self.running[name]
            if process.poll() is None:
                process.send_signal(signal.Signals[signal_name])
                process.wait(20)


def make_variables(folder: Path) -> dict[str, str]:
    """A filled-in .env; hosts and ports are the only things that differ from a real one."""
    web, redis = pick_port(preferred=None, taken=set()), pick_port(preferred=None, taken=set())
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "REDIS_PASSWORD": secrets.token_hex(24),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SECRETS_KEYS": "key1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "ALLOWED_HOSTS": "apprun.example.com",
        "BASE_URL": "https://apprun.example.com",
        "POSTGRES_SOCKETS": str(folder / "sockets"),
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis),
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(web),
        "WEB_WORKERS": "1",
        **{name_setting(queue): "1" for queue in WORKER_QUEUES},
    }


def make_cluster(stack: Stack) -> None:
    """What the image's entry point does at a first start: initdb and the database, by the same variables."""
    environment = stack.environment("postgres")
    account = choose_account(data_folder=stack.folder / "none")
    arguments: dict[str, Any] = account.as_popen_arguments() if account else {}
    for name in ("postgres", "sockets", "redis"):
        make_folder(path=stack.folder / name, account=account)
    (stack.folder / "sockets").chmod(0o755)
    password_file = stack.folder / "postgres" / "password"
    password_file.write_text(environment["POSTGRES_PASSWORD"])
    if account:
        os.chown(password_file, account.uid, account.gid)
    initdb = [find_postgres(data=stack.folder / "none").beside("initdb"), f"--username={environment['POSTGRES_USER']}"]
    initdb += [f"--pwfile={password_file}", "--no-sync", "--encoding=UTF8"]
    initdb += environment["POSTGRES_INITDB_ARGS"].split()
    subprocess.run(initdb, env=environment, cwd="/", check=True, capture_output=True, **arguments)
    with (stack.folder / "postgres" / "data" / "postgresql.conf").open("a") as file:
        file.write(f"unix_socket_directories = '{stack.variables['POSTGRES_SOCKETS']}'\n")


def install_backup_programs(stack: Stack) -> None:
    """What deploy/postgres/Dockerfile copies, at a place that the servers' account can read."""
    programs = stack.folder / "postgres" / "programs"
    shutil.copytree(ROOT / "config" / "recovery", programs / "recovery")
    shutil.copy(ROOT / "deploy" / "pgbackrest" / "pgbackrest.conf", programs)
    account = choose_account(data_folder=stack.folder / "none")
    for name in ("repository", "locks", "none"):
        make_folder(path=stack.folder / "postgres" / name, account=account)


def read_backup_settings() -> dict[str, str]:
    """A filled-in backup.env."""
    lines = (ROOT / "deploy" / "backup.env.example").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert names == ["PGBACKREST_REPO1_CIPHER_PASS"]
    return dict.fromkeys(names, "filled in")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="apprun-test-compose-"))
    folder.chmod(0o755)
    (folder / "data").mkdir()
    variables = make_variables(folder)
    stack = Stack(folder, variables, read_compose(COMPOSE_FILE, variables)["services"])
    try:
        make_cluster(stack)
        install_backup_programs(stack)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder)


def test_services_start_in_order_become_healthy_and_stop(stack: Stack) -> None:
    stack.start("redis")
    start_postgres(stack)
    stack.wait_until_healthy("redis")
    collecting = collect_static_files(stack)
    prepare = stack.start("prepare")
    assert prepare.wait(120) == 0, (stack.folder / "prepare.log").read_text()
    assert collecting.wait(120) == 0
    assert not stack.is_healthy("web")
    running = ("web", *(name_worker(queue) for queue in WORKER_QUEUES), "beat")
    for name in running:
        stack.start(name)
    for name in running:
        stack.wait_until_healthy(name)
    assert read_status(stack, host="apprun.example.com", proto="https", path="/healthz") == 200
    assert read_status(stack, host="elsewhere.example.com", proto="https", path="/api/v1/me") == 400
    assert read_status(stack, host="apprun.example.com", proto="http", path="/api/v1/me") == 301
    stack.running["worker-backups"].kill()
    stack.running["worker-backups"].wait()
    assert not stack.is_healthy("worker-backups")
    assert stack.is_healthy("worker")
    ports = (int(stack.variables["WEB_PORT"]), int(stack.variables["REDIS_PORT"]))
    stack.stop()
    assert_nothing_is_left(stack.folder, ports=ports)


@pytest.mark.skipif(not shutil.which("pgbackrest"), reason="needs pgBackRest: apt-get install pgbackrest")
def test_backup_service_makes_the_first_backup_and_what_is_lost_is_restored(stack: Stack) -> None:
    start_postgres(stack)
    assert not stack.is_healthy("backup")
    stack.start("backup")
    stack.wait_until_healthy("backup")
    info = json.loads(stack.run_as_postgres("pgbackrest", "--stanza=apprun", "info", "--output=json"))[0]
    assert [backup["type"] for backup in info["backup"]] == ["full"]
    assert info["cipher"] == "aes-256-cbc"
    metrics = (stack.folder / "postgres" / "state" / "apprun.prom").read_text()
    assert 'apprun_backups_hold{stanza="apprun"} 1' in metrics
    stack.stop()
    shutil.rmtree(stack.folder / "postgres" / "data")
    restore = stack.start("restore")
    assert restore.wait(60) == 0, (stack.folder / "restore.log").read_text()
    stack.start("postgres")
    stack.wait_until_healthy("postgres")
    wait_until(lambda: stack.run_as_postgres("psql", "-Atc", "SELECT pg_is_in_recovery()").strip() == "f", seconds=30)
    assert stack.run_as_postgres("psql", "-Atc", "SELECT current_database()").strip() == "apprun"
    stack.stop()
    assert_nothing_is_left(stack.folder)


def test_log_is_archived_by_the_settings_that_are_shipped_for_other_machines(tmp_path: Path) -> None:
    command = read_compose(COMPOSE_FILE, make_variables(tmp_path))["services"]["postgres"]["command"]
    given = dict(word.removeprefix("-c").split("=", 1) for word in command[1:])
    shipped = re.findall(r"^(\w+) = '?(.*?)'?$", (ROOT / "deploy/pgbackrest/postgresql.conf").read_text(), re.MULTILINE)
    assert dict(shipped).items() <= given.items()


def start_postgres(stack: Stack) -> None:
    """Returns when it is healthy, its database made as at a first start."""
    stack.start("postgres")
    stack.wait_until_healthy("postgres")
    if "apprun" not in stack.run_as_postgres("psql", "-Atc", "SELECT datname FROM pg_database", "postgres").split():
        create_database(stack)


def create_database(stack: Stack) -> None:
    """The entry point makes POSTGRES_DB."""
    environment = stack.environment("postgres")
    environment["PGPASSWORD"] = environment["POSTGRES_PASSWORD"]
    command = [
        find_postgres(data=stack.folder / "none").beside("createdb"),
        "--username=apprun",
        environment["POSTGRES_DB"],
    ]
    subprocess.run(command, env=environment, check=True, cwd="/")


def collect_static_files(stack: Stack) -> subprocess.Popen[bytes]:
    """The image's build does this, with the same command."""
    assert "python manage.py collectstatic --no-input --verbosity 0" in (ROOT / "Dockerfile").read_text()
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    return subprocess.Popen(command, env=stack.environment("prepare"), cwd=ROOT)


def read_status(stack: Stack, *, host: str, proto: str, path: str) -> int:
    """The status that a proxy in front would get."""

    class Unfollowed(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    url = f"http://127.0.0.1:{stack.variables['WEB_PORT']}{path}"
    request = urllib.request.Request(url, headers={"Host": host, "X-Forwarded-Proto": proto})
    try:
        with urllib.request.build_opener(Unfollowed).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("queue", WORKER_QUEUES)
def test_every_queue_has_workers_started_as_by_make_run(queue: str, tmp_path: Path) -> None:
    service = read_compose(COMPOSE_FILE, make_variables(tmp_path))["services"][name_worker(queue)]
    assert service["command"] == ["celery", *describe_worker(queue, processes=1, level="INFO")]
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace > settings.WORKER_STOP_GRACE + settings.STEP_END_GRACE.total_seconds()


@pytest.mark.parametrize("missing", REQUIRED)
def test_missing_secret_is_named(missing: str, tmp_path: Path) -> None:
    variables = {name: value for name, value in make_variables(tmp_path).items() if name != missing}
    with pytest.raises(KeyError, match=missing):
        read_compose(COMPOSE_FILE, variables)


def test_example_settings_name_every_required_variable() -> None:
    text = (ROOT / "deploy" / "compose.env.example").read_text()
    assert [name for name in REQUIRED if not re.search(rf"^{name}=", text, re.MULTILINE)] == []


def test_every_long_running_service_restarts_is_checked_and_unprivileged(tmp_path: Path) -> None:
    content = read_compose(COMPOSE_FILE, make_variables(tmp_path))
    mounted = set()
    for name, service in content["services"].items():
        mounted |= {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert all(volume.split(":")[0] in content["volumes"] for volume in service.get("volumes", [])), name
        if name != "prepare" and "profiles" not in service:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name
    assert mounted == set(content["volumes"])
    for name in ("prepare", "web", "worker", "beat", "backup"):
        assert content["services"][name]["cap_drop"] == ["ALL"]
    assert re.search(r"^USER apprun$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_the_image_dumps_with_programs_as_new_as_the_server() -> None:
    server = re.search(r"^FROM postgres:(\d+)", (ROOT / "deploy" / "postgres" / "Dockerfile").read_text(), re.MULTILINE)
    client = re.search(r"postgresql-client-(\d+)", (ROOT / "Dockerfile").read_text())
    assert server
    assert client
    assert int(client[1]) >= int(server[1])


def test_interpolation_follows_compose() -> None:
    assert interpolate("a ${X} ${Y:-d} $$ ${Z:-p${X}q}", {"X": "1", "Y": ""}) == "a 1 d $ p1q"
    with pytest.raises(KeyError, match="make one"):
        interpolate("${X:?make one}", {})
