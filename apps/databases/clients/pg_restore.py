"""Running ``pg_restore`` on a dump in the custom format, watched, with what it says turned into a fact.

What is in a dump was written by a workspace, and loading it runs parts of it: a function in a CHECK constraint sees
every row that comes in. So nobody logs in as a superuser for this, who could be returned to by ``RESET ROLE``: the
connection's own role must be able to do nothing but ``SET ROLE`` to the owner of the workspace's tables.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import IO

from apps.databases.clients.postgres import environment_for_programs
from apps.databases.errors import DumpNotRestorable

_LOOK = 0.02
_READ = 1 << 20
_ERROR = re.compile(rb"pg_restore: error: (.+)")
_TABLE = b"processing data for table"


def load_dump(
    *,
    program: Path | str,
    dump: Path,
    environment: Mapping[str, str],
    database: str,
    role: str,
    jobs: int,
    limit: timedelta,
    watch: Callable[[int], None],
) -> None:
    """Load the dump into an empty database, everything owned by ``role``; stop at the first error.

    ``environment`` is libpq's for the login; ``watch(tables)`` is called about fifty times a second with how many
    tables have been begun: when it raises, or ``limit`` is over, ``pg_restore`` and its workers are killed, and the
    error goes on; what they have under way on the server is the caller's to end. Raises DumpNotRestorable with the
    server's or the program's own sentence.
    """
    command = [
        str(program),
        f"--dbname={database}",
        f"--role={role}",
        f"--jobs={jobs}",
        "--no-owner",
        "--no-acl",
        "--no-tablespaces",
        "--no-subscriptions",
        "--no-security-labels",
        "--exit-on-error",
        "--verbose",
        "--no-password",
        str(dump),
    ]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            env={**environment_for_programs(os.environ), "LC_ALL": "C", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            _follow(process, said, limit, watch)
        except BaseException:
            _kill(process)
            raise
        if process.returncode != 0:
            raise DumpNotRestorable(_explain(said))


def _follow(process: subprocess.Popen[bytes], said: IO[bytes], limit: timedelta, watch: Callable[[int], None]) -> None:
    tables = offset = 0
    give_up_at = time.monotonic() + limit.total_seconds()
    while process.poll() is None:
        if time.monotonic() > give_up_at:
            raise DumpNotRestorable(f"Loading the backup took longer than {limit} (h:mm:ss) and was ended.")
        lines, _, _ = os.pread(said.fileno(), _READ, offset).rpartition(b"\n")
        offset += len(lines)
        tables += lines.count(_TABLE)
        watch(tables)
        time.sleep(_LOOK)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _explain(said: IO[bytes]) -> str:
    """The first error that it reports, as one sentence."""
    said.seek(0)
    found = _ERROR.search(said.read())
    reason = found.group(1).decode(errors="replace") if found else "pg_restore ended without a reason"
    return f"The backup can't be restored here: {reason}"[:300]
