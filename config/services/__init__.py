"""PostgreSQL and Redis for `make run` and `make test`.

`with services(data_dir) as running:` gives `running.database_url` and `running.redis_url`. What DATABASE_URL and
REDIS_URL name is used as it is; what they don't is started here, as an unprivileged account, listening on the loopback
address only, its data below the data folder, and stopped at the end.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .accounts import Account, choose_account, is_root, is_usable, make_substitute_folder
from .errors import FolderInUse, FolderNotOurs, ServerDidNotStart, ServerUnreachable, ServicesError
from .lock import FolderLock, find_holder
from .ports import pick_port
from .postgres import Postgres, can_connect
from .processes import Child, Processes, Program, wait_until
from .programs import find_postgres, find_redis, make_reachable
from .redis import Redis, can_ping

__all__ = [
    "Child",
    "FolderInUse",
    "Processes",
    "Program",
    "Server",
    "Services",
    "ServicesError",
    "find_holder",
    "read_secret",
    "services",
    "throwaway_services",
    "wait_until",
]

RECORD = "services.json"
ATTEMPTS = 3  # another program may take a port between our look and the server's start


@dataclass
class Server:
    """A server that we started, and can start again on the same port."""

    kind: Postgres | Redis
    port: int
    child: Child

    @property
    def name(self) -> str:
        return self.child.program.name

    def restart(self, processes: Processes) -> None:
        """Starts it again after it ended by itself."""
        self.child = self.kind.start(processes, self.port)


@dataclass
class Services:
    """What runs; `processes` takes further programs that shall end with it."""

    database_url: str
    redis_url: str
    processes: Processes
    servers: list[Server] = field(default_factory=list)


@contextmanager
def services(
    data_dir: Path,
    *,
    throwaway: bool = False,
    say: Callable[[str], None] = print,
) -> Iterator[Services]:
    """Holds the data folder and has both services answer inside of the `with`.

    Raises FolderInUse when another launcher works on the folder, and another ServicesError, of one line, for
    whatever else keeps a service from being there.
    """
    data_dir = data_dir.resolve()
    make_data_folder(data_dir)
    with ExitStack() as stack:
        locks = [take_lock(stack, data_dir)]
        urls = (os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", ""))
        account = choose_account(data_folder=data_dir / "postgres")
        folder = data_dir
        if not all(urls):
            folder = choose_servers_folder(data_dir, account=account, say=say)
            if folder != data_dir:
                account = choose_account(data_folder=folder / "postgres")
                locks.append(take_lock(stack, folder))
        processes = stack.enter_context(Processes(held=[lock.fileno for lock in locks]))
        for lock in locks:
            processes.remove_when_killed(lock.path)
        if throwaway:
            processes.remove_when_killed(data_dir)
        (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        running = Services(*urls, processes)
        if urls[0]:
            refuse_unless(can_connect(urls[0]), "PostgreSQL", "DATABASE_URL")
        else:
            running.database_url = start_postgres(running, data_dir, folder, account, throwaway=throwaway, say=say)
        if urls[1]:
            refuse_unless(can_ping(urls[1]), "Redis", "REDIS_URL")
        else:
            running.redis_url = start_redis(running, data_dir, folder, account, throwaway=throwaway, say=say)
        yield running


@contextmanager
def throwaway_services() -> Iterator[Services]:
    """Services for a test run: in a new temporary folder, faster than safe, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="apprun-test-"))
    try:
        folder.chmod(0o711 if is_root() else 0o700)
        with services(folder, throwaway=True, say=lambda _: None) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_secret(path: Path, *, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """The secret in the file, made (mode 0600) when the file isn't there."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make() + "\n")
        unfinished.rename(path)
    return path.read_text().strip()


def make_data_folder(path: Path) -> None:
    """Makes the data folder unless it is there; root's can be entered by the servers' account, but not listed."""
    try:
        path.mkdir(mode=0o711 if is_root() else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FolderNotOurs(f"Can't use {path} as data folder ({error.strerror}): set DATA_DIR.") from None


def take_lock(stack: ExitStack, folder: Path) -> FolderLock:
    """Holds the folder until the stack unwinds."""
    lock = FolderLock(folder)
    lock.take()
    stack.callback(lock.release)
    return lock


def choose_servers_folder(data_dir: Path, *, account: Account | None, say: Callable[[str], None]) -> Path:
    """Where the servers keep their data: the data folder, unless their account can't or shouldn't work there."""
    recorded = Path(str(read_record(data_dir).get("servers_folder", data_dir)))
    if recorded != data_dir and recorded.is_dir():
        return recorded
    folder = data_dir
    if not is_usable(folder=data_dir, account=account):
        folder = make_substitute_folder()
        write_record(data_dir, servers_folder=str(folder))
    if folder != data_dir and account:
        say(f"The account {account.name} can't use {data_dir}; PostgreSQL and Redis keep their data in {folder}")
    return folder


def start_postgres(
    running: Services,
    data_dir: Path,
    folder: Path,
    account: Account | None,
    *,
    throwaway: bool,
    say: Callable[[str], None],
) -> str:
    """Starts our PostgreSQL and returns its address."""
    program = find_postgres(data=folder / "postgres" / "data")
    server = Postgres(
        program=make_reachable(program, account=account, folder=folder / "programs"),
        folder=folder / "postgres",
        account=account,
        password=read_secret(data_dir / "postgres-password.key"),
        log=data_dir / "logs" / "postgres.log",
        throwaway=throwaway,
    )
    started = start_server(running, data_dir, server)
    say(f"PostgreSQL {program.version} ({program.origin}) on port {started.port}")
    return server.url(started.port)


def start_redis(
    running: Services,
    data_dir: Path,
    folder: Path,
    account: Account | None,
    *,
    throwaway: bool,
    say: Callable[[str], None],
) -> str:
    """Starts our Redis and returns its address."""
    program = find_redis()
    server = Redis(
        program=make_reachable(program, account=account, folder=folder / "programs"),
        folder=folder / "redis",
        account=account,
        password=read_secret(data_dir / "redis-password.key"),
        log=data_dir / "logs" / "redis.log",
        throwaway=throwaway,
    )
    started = start_server(running, data_dir, server)
    name = program.path.name.removesuffix("-server").title()
    say(f"{name} {program.version} ({program.origin}) on port {started.port}")
    return server.url(started.port)


def start_server(running: Services, data_dir: Path, kind: Postgres | Redis) -> Server:
    """Starts a server on the port it had last time, or a free one, and waits until it answers."""
    kind.prepare()
    name = f"{kind.folder.name}_port"
    preferred = read_record(data_dir).get(name)
    taken = {server.port for server in running.servers}
    for attempt in range(1, ATTEMPTS + 1):
        port = pick_port(preferred=int(preferred) if preferred else None, taken=taken)
        child = kind.start(running.processes, port)
        try:
            kind.wait(child, port)
        except ServerDidNotStart:
            running.processes.stop([child])
            if attempt == ATTEMPTS or "in use" not in read_tail(kind.log):
                raise
            taken.add(port)
            continue
        write_record(data_dir, **{name: port})
        server = Server(kind, port, child)
        running.servers.append(server)
        return server
    raise AssertionError("the last attempt either returned or raised")


def read_tail(log: Path) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def refuse_unless(reachable: bool, what: str, setting: str) -> None:
    """Raises ServerUnreachable, without the address: it may bear a password."""
    if not reachable:
        raise ServerUnreachable(f"{what} doesn't answer at the address of {setting}.")


def read_record(data_dir: Path) -> dict[str, str | int]:
    """What an earlier start wrote down: ports, and the servers' folder."""
    try:
        record = json.loads((data_dir / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(data_dir: Path, **entries: str | int) -> None:
    """Writes down entries for the next start."""
    path = data_dir / RECORD
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(read_record(data_dir) | entries, indent=1) + "\n")
    unfinished.rename(path)
