"""Our own PostgreSQL: one cluster in the data folder, on a loopback port, opened by a password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from .accounts import Account, make_folder
from .errors import ServerDidNotStart
from .ports import LOOPBACK
from .processes import Child, Processes, Program, end_orphans, wait_until
from .programs import ServerProgram

NAME = "apprun"  # of the superuser and of the database
SECONDS_TO_START = 120.0  # a recovery after a crash included
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # no socket file to leave behind, or to be too long a path
    "max_connections": "300",
    "max_locks_per_transaction": "256",  # a schema per workspace: one DROP SCHEMA locks all of its tables
    "jit": "off",  # compiling costs more than the short queries here run
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}


@dataclass(frozen=True)
class Postgres:
    """The cluster in `folder/data`; a throw-away one trades durability for speed."""

    program: ServerProgram
    folder: Path
    account: Account | None
    password: str
    log: Path
    throwaway: bool

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, port: int) -> str:
        """DATABASE_URL of the server on the port."""
        return f"postgres://{NAME}:{self.password}@{LOOPBACK}:{port}/{NAME}"

    def prepare(self) -> None:
        """Makes the cluster if it isn't there, and ends a server that a killed launcher left on it."""
        make_folder(path=self.folder, account=self.account)
        if self.data.exists():
            end_orphans(folder=self.data, names=("postgres", "postmaster"), number=signal.SIGINT)
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        else:
            self._make_cluster()

    def start(self, processes: Processes, port: int) -> Child:
        """Starts the server; it ends by a fast shutdown, which waits for no client."""
        settings = SETTINGS | (THROWAWAY_SETTINGS if self.throwaway else {}) | {"port": str(port)}
        command = [str(self.program.path), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return processes.start(
            Program(
                name="postgres",
                command=command,
                log=self.log,
                cwd=self.folder.parent,
                environment=self._environment(),
                account=self.account,
                stop_signal=signal.SIGINT,
            )
        )

    def wait(self, child: Child, port: int) -> None:
        """Returns once the server answers and our database is there. Raises ServerDidNotStart."""

        def answers() -> bool:
            return child.exit_code is not None or can_connect(self.url(port).removesuffix(NAME) + "postgres")

        if not wait_until(answers, seconds=SECONDS_TO_START) or child.exit_code is not None:
            raise ServerDidNotStart(f"PostgreSQL did not start: {read_last_line(self.log)} (see {self.log})")
        with psycopg.connect(self.url(port).removesuffix(NAME) + "postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _make_cluster(self) -> None:
        """Makes the cluster aside and renames it when complete, so that a broken-off start leaves no half of one."""
        unfinished = self.folder / "data.new"
        password_file = self.folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        if self.account:
            os.chown(password_file, self.account.uid, self.account.gid)
        try:
            result = self._run_initdb(unfinished, password_file, "C.UTF-8")
            if result.returncode:  # it folds letters beyond ASCII, but not every system has it
                result = self._run_initdb(unfinished, password_file, "C")
            if result.returncode:
                lines = (result.stderr or result.stdout).strip().splitlines()
                raise ServerDidNotStart(f"initdb failed: {lines[-1] if lines else result.returncode}")
        finally:
            password_file.unlink(missing_ok=True)
        unfinished.rename(self.data)

    def _run_initdb(self, data: Path, password_file: Path, locale: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.program.beside("initdb")), f"--pgdata={data}", f"--username={NAME}", "--encoding=UTF8"]
        command += [f"--locale={locale}", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        if self.throwaway:
            command.append("--no-sync")
        return subprocess.run(  # noqa: S603
            command,
            cwd=self.folder.parent,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            **(self.account.as_popen_arguments() if self.account else {}),
        )

    def _environment(self) -> dict[str, str]:
        """Only what the server needs: none of our secrets, no PG* setting of the caller."""
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def can_connect(url: str) -> bool:
    """Whether the server accepts us now."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def read_last_line(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    return lines[-1] if lines else "it said nothing"
