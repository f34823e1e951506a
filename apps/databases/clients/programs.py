"""Finding PostgreSQL's programs: ``pg_dump`` and ``pg_restore`` of a version that fits a server.

``pg_dump`` refuses a server that is newer than itself, and ``pg_restore`` an archive of a newer ``pg_dump``; both read
older ones. So the newest that is there is taken; it must be as new as the server, and of a safe release.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from apps.databases.clients.releases import is_safe_program, safe_program
from apps.databases.errors import ProgramMissing

_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class PostgresProgram:
    """An executable and the version that it tells."""

    path: Path
    major: int
    minor: int

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def find_program(name: str, *, at_least: int) -> PostgresProgram:
    """The newest program of this name in PATH or among Debian's versions.

    ``at_least`` is a major version. Raises ProgramMissing, with what is there, when none is as new as that, or those
    that are have known holes (see ``releases``).
    """
    found = _installed(name, os.environ.get("PATH", ""))
    fitting = [program for program in found if program.major >= at_least]
    safe = [program for program in fitting if is_safe_program(program.major, program.minor)]
    if safe:
        return max(safe, key=lambda program: (program.major, program.minor))
    there = ", ".join(f"{program.major}.{program.minor}" for program in found) or "none"
    if fitting:
        newest = max(program.major for program in fitting)
        raise ProgramMissing(
            f"This needs {name} of PostgreSQL {safe_program(newest)} or newer; here is: {there}, with known holes "
            "through which what is dumped could run code here. "
            f"An operator has to upgrade it: apt-get install postgresql-client-{newest}"
        )
    raise ProgramMissing(
        f"This needs {name} of PostgreSQL {at_least} or newer; here is: {there}. "
        f"An operator has to install it: apt-get install postgresql-client-{at_least}"
    )


def _installed(name: str, search_path: str) -> tuple[PostgresProgram, ...]:
    on_path = shutil.which(name, path=search_path)
    paths = [*sorted(_DEBIAN.glob(f"*/bin/{name}")), *([Path(on_path)] if on_path else [])]
    programs = [PostgresProgram(path, *_version(path, path.stat().st_mtime_ns)) for path in dict.fromkeys(paths)]
    return tuple(program for program in programs if program.major)


@lru_cache(maxsize=32)
def _version(path: Path, _changed: int) -> tuple[int, int]:
    """The version that the program tells, or zeros when it can't be run; asked again when the file has changed."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=_SECONDS).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return 0, 0
    match = re.search(r"\) (\d+)(?:\.(\d+))?", told)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)
