"""Where a drill happens: a temporary folder with clusters, a repository, and the settings of `deploy/pgbackrest`."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from config.env import ROOT
from config.recovery.commands import Commands
from config.services import Child, Processes, Program, ServicesError, wait_until
from config.services.accounts import Account, choose_account, is_root, make_folder
from config.services.ports import LOOPBACK, pick_port
from config.services.postgres import NAME
from config.services.programs import ServerProgram, find_postgres, make_reachable

from .errors import DrillFailed, require

STANZA = "apprun"
SHIPPED = ROOT / "deploy" / "pgbackrest"
HOW_TO_INSTALL = "apt-get install pgbackrest"
#: In place of the shipped 300 s, so that a drill takes a minute: what is lost is compared with this.
ARCHIVE_TIMEOUT_SECONDS = 2
SECONDS_TO_RECOVER = 120.0


@dataclass
class Place:
    """The folder, who owns the servers' part of it, and what runs in it."""

    folder: Path
    account: Account | None
    program: ServerProgram
    processes: Processes
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    passphrase: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    ports: set[int] = field(default_factory=set)

    @property
    def own(self) -> Path:
        """What belongs to the servers' account."""
        return self.folder / "servers"

    @property
    def repository(self) -> Path:
        return self.own / "repository"

    def as_account(self) -> dict[str, Any]:
        """What makes `subprocess` start a program as the servers' account."""
        return self.account.as_popen_arguments() if self.account else {}

    def pick_port(self) -> int:
        """A free port that this drill hasn't given out."""
        port = pick_port(preferred=None, taken=self.ports)
        self.ports.add(port)
        return port

    def environment(self, cluster: Cluster) -> dict[str, str]:
        """What PostgreSQL and pgBackRest are started with: the shipped file, with this place's paths instead."""
        return {
            "PATH": f"{self.program.path.parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "LC_ALL": "C",
            "TZ": "UTC",
            "PGHOST": str(cluster.sockets),
            "PGPORT": str(cluster.port),
            "PGUSER": NAME,
            "PGPASSWORD": self.password,
            "PGDATABASE": "postgres",
            "PGBACKREST_CONFIG": str(self.own / "pgbackrest.conf"),
            "PGBACKREST_CONFIG_INCLUDE_PATH": str(self.own / "none"),
            "PGBACKREST_REPO1_PATH": str(self.repository),
            "PGBACKREST_REPO1_CIPHER_PASS": self.passphrase,
            "PGBACKREST_LOCK_PATH": str(self.own / "locks"),
            # A file that can't be unpacked is tried again after 15 s; this repository is damaged on purpose.
            "PGBACKREST_JOB_RETRY": "0",
            "PGBACKREST_PG1_PATH": str(cluster.data),
            "PGBACKREST_PG1_SOCKET_PATH": str(cluster.sockets),
            "PGBACKREST_PG1_PORT": str(cluster.port),
            "PGBACKREST_PG1_DATABASE": "postgres",
        }

    def commands(self, cluster: Cluster) -> Commands:
        """pgBackRest and psql for the cluster."""
        return Commands(stanza=STANZA, environment=self.environment(cluster), options=self.as_account())

    def run(self, cluster: Cluster, program: str, *arguments: str) -> str:
        """Runs one of PostgreSQL's programs for the cluster. Raises DrillFailed with what it said."""
        done = subprocess.run(  # noqa: S603
            [str(self.program.beside(program)), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.own,
            env=self.environment(cluster),
            **self.as_account(),
        )
        require(done.returncode == 0, f"{program}: {done.stderr.strip()[-400:]}")
        return str(done.stdout)


@dataclass
class Cluster:
    """One PostgreSQL of the drill."""

    place: Place
    name: str
    port: int
    child: Child | None = None

    @property
    def data(self) -> Path:
        return self.place.own / self.name

    @property
    def sockets(self) -> Path:
        return self.place.own / "sockets"

    @property
    def log(self) -> Path:
        return self.place.folder / f"{self.name}.log"

    def url(self, database: str = NAME) -> str:
        return f"postgres://{NAME}:{self.place.password}@{LOOPBACK}:{self.port}/{database}"

    def connect(self, database: str = NAME) -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def make(self) -> None:
        """initdb, with the shipped settings included as an operator's conf.d includes them."""
        password = self.place.own / "password"
        write_for(self.place.account, password, self.place.password)
        arguments = [f"--pgdata={self.data}", f"--username={NAME}", f"--pwfile={password}", "--encoding=UTF8"]
        arguments += ["--locale=C.UTF-8", "--auth=scram-sha-256", "--data-checksums"]
        self.place.run(self, "initdb", *arguments)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"include '{self.place.own / 'postgresql.conf'}'\n")

    def start(self) -> None:
        """Starts it and returns when it takes writes, a recovery included. Raises DrillFailed with its log's end."""
        settings = {
            "port": self.port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": self.sockets,
            "max_locks_per_transaction": 256,
            "jit": "off",
            "archive_timeout": ARCHIVE_TIMEOUT_SECONDS,
        }
        command = [str(self.place.program.path), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.child = self.place.processes.start(
            Program(
                name=self.name,
                command=command,
                log=self.log,
                cwd=self.place.own,
                environment=self.place.environment(self),
                account=self.place.account,
                stop_signal=signal.SIGINT,
            )
        )
        wait_until(lambda: self._has_ended() or self._takes_writes(), seconds=SECONDS_TO_RECOVER)
        if self._has_ended() or not self._takes_writes():
            lines = self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
            raise DrillFailed(f"{self.name} didn't come up: {(fatal or lines)[-1]}")

    def stop(self) -> None:
        """A fast shutdown."""
        if self.child:
            self.place.processes.stop([self.child], within=20)
            self.child = None

    def lose(self) -> None:
        """The disaster: every process killed at once, the data directory gone."""
        if self.child:
            self.child.kill_group()
            self.place.processes.stop([self.child])
            self.child = None
        shutil.rmtree(self.data)

    def _has_ended(self) -> bool:
        return self.child is None or self.child.exit_code is not None

    def _takes_writes(self) -> bool:
        try:
            with self.connect("postgres") as connection:
                row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and not row[0]


def write_for(account: Account | None, path: Path, text: str) -> None:
    """A file that the account alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    if account:
        os.chown(path, account.uid, account.gid)


@contextmanager
def make_place() -> Iterator[Place]:
    """A place that is gone, with everything that runs in it, at the end; also when this process is killed."""
    if not shutil.which("pgbackrest"):
        raise ServicesError(f"pgBackRest isn't installed: {HOW_TO_INSTALL}")
    folder = Path(tempfile.mkdtemp(prefix="apprun-drill-"))
    try:
        folder.chmod(0o711 if is_root() else 0o700)
        account = choose_account(data_folder=folder / "none")
        with Processes() as processes:
            processes.remove_when_killed(folder)
            found = find_postgres(data=folder / "none")
            program = make_reachable(found, account=account, folder=folder / "programs")
            place = Place(folder, account, program, processes)
            for path in (place.own, place.repository, place.own / "locks", place.own / "none", place.own / "sockets"):
                make_folder(path=path, account=account)
            for name in ("pgbackrest.conf", "postgresql.conf"):
                write_for(account, place.own / name, (SHIPPED / name).read_text())
            yield place
    finally:
        shutil.rmtree(folder, ignore_errors=True)
