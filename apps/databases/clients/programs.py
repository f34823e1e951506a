"""Finding PostgreSQL's programs: ``pg_dump`` and ``pg_restore`` of a version that fits a server.

``pg_dump`` refuses a server that is newer than itself, and ``pg_restore`` an archive of a newer ``pg_dump``; both read
older ones. So the newest that is there is taken, and it must be as new as the server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from apps.databases.errors import ProgramMissing

_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class PostgresProgram:
    """An executable and the major version that it tells."""

    path: Path
    major: int

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def find_program(name: str, *, at_least: int) -> PostgresProgram:
    """The newest program of this name in PATH or among Debian's versions.

    ``at_least`` is a major version. Raises ProgramMissing, with what is there, when none is as new as that.
    """
    found = _installed(name, os.environ.get("PATH", ""))
    fitting = [program for program in found if program.major >= at_least]
    if fitting:
        return max(fitting, key=lambda program: program.major)
    there = ", ".join(str(program.major) for program in found) or "none"
    raise ProgramMissing(
        f"This needs {name} of PostgreSQL {at_least} or newer; here is: {there}. "
        f"An operator has to install it: apt-get install postgresql-client-{at_least}"
    )


@lru_cache(maxsize=8)
def _installed(name: str, search_path: str) -> tuple[PostgresProgram, ...]:
    on_path = shutil.which(name, path=search_path)
    paths = [*sorted(_DEBIAN.glob(f"*/bin/{name}")), *([Path(on_path)] if on_path else [])]
    programs = [PostgresProgram(path, _major(path)) for path in dict.fromkeys(paths)]
    return tuple(program for program in programs if program.major)


def _major(path: Path) -> int:
    """The major version that the program tells, or 0 when it can't be run."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=_SECONDS).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r"\) (\d+)", told)
    return int(match[1]) if match else 0
