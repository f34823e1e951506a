"""One launcher per data folder: a pid file that is locked for as long as its writer, or its guard, lives.

The lock is the kernel's (flock), so a file that a crash left behind, or whose pid belongs to another program by now,
doesn't hold anybody up: it is simply taken over.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from .errors import FolderInUse, FolderNotOurs
from .guard import is_there

PID_FILE = "apprun.pid"
GUARD_IS_CLEANING_UP_SECONDS = 12.0


class FolderLock:
    """Holds a folder; `fileno` may be handed to a guard, which then holds it too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / PID_FILE
        self.fileno = -1

    def take(self) -> None:
        """Takes the folder, waiting while the guard of a killed launcher is still cleaning up. Raises FolderInUse."""
        give_up_at = time.monotonic() + GUARD_IS_CLEANING_UP_SECONDS
        while not self._try_to_take():
            holder = read_pid(self.path)
            if (holder and is_there(holder)) or time.monotonic() > give_up_at:
                raise FolderInUse(folder=self.folder, pid=holder)
            time.sleep(0.1)

    def release(self) -> None:
        """Removes the pid file and lets go."""
        if self.fileno >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self.fileno)
            self.fileno = -1

    def _try_to_take(self) -> bool:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise FolderNotOurs(
                f"Can't write in {self.folder} ({error.strerror}): set DATA_DIR to a folder of yours."
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_still(descriptor):  # its holder removed it between our open and our lock
                os.close(descriptor)
                return False
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self.fileno = descriptor
        return True

    def _is_still(self, descriptor: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino == self.path.stat().st_ino
        except FileNotFoundError:
            return False


def find_holder(folder: Path) -> int | None:
    """The pid of the launcher that works on the folder now, if any."""
    path = folder / PID_FILE
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = read_pid(path)
        return pid if pid and is_there(pid) else None
    except OSError:
        return None
    return None


def read_pid(path: Path) -> int | None:
    """The pid on the first line of a pid file, or None."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
