"""Our own Redis (or Valkey): a loopback port, a password, its data in the data folder."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import redis

from .accounts import Account, make_folder
from .errors import ServerDidNotStart
from .ports import LOOPBACK
from .postgres import read_last_line
from .processes import Child, Processes, Program, end_orphans, wait_until
from .programs import ServerProgram

SECONDS_TO_START = 60.0
DATABASES = 64  # parallel test workers take one each


@dataclass(frozen=True)
class Redis:
    """The server with its data in `folder`; a throw-away one saves nothing."""

    program: ServerProgram
    folder: Path
    account: Account | None
    password: str
    log: Path
    throwaway: bool

    def url(self, port: int) -> str:
        """REDIS_URL of the server on the port."""
        return f"redis://:{self.password}@{LOOPBACK}:{port}/0"

    def prepare(self) -> None:
        """Makes the folder, and ends a server that a killed launcher left in it."""
        make_folder(path=self.folder, account=self.account)
        end_orphans(folder=self.folder, names=("redis-server", "valkey-server"), number=signal.SIGTERM)

    def start(self, processes: Processes, port: int) -> Child:
        """Starts the server; SIGTERM has it save and end."""
        return processes.start(
            Program(
                name="redis",
                command=[str(self.program.path), str(self._write_configuration(port))],
                log=self.log,
                cwd=self.folder.parent,
                environment={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
                account=self.account,
            )
        )

    def wait(self, child: Child, port: int) -> None:
        """Returns once the server answers, its data loaded. Raises ServerDidNotStart."""

        def answers() -> bool:
            return child.exit_code is not None or can_ping(self.url(port))

        if not wait_until(answers, seconds=SECONDS_TO_START) or child.exit_code is not None:
            raise ServerDidNotStart(f"Redis did not start: {read_last_line(self.log)} (see {self.log})")

    def _write_configuration(self, port: int) -> Path:
        """The password is in a file, for the command line can be read by every account of the machine."""
        path = self.folder / "redis.conf"
        lines = [
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {self.password}",
            f'dir "{self.folder}"',
            f"databases {DATABASES}",
            "daemonize no",
            'save ""' if self.throwaway else "save 60 1",
        ]
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)
        return path


def can_ping(url: str) -> bool:
    """Whether the server accepts us now."""
    with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return False
