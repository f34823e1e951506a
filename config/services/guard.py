"""Stands beside a launcher and cleans up after it when it is killed without a chance to do so itself.

It reads what there is to clean from its standard input, one line each: `watch <pid> <signal>`, `forget <pid>`,
`remove <path>`, and `done` when nothing is left to do. The end of the input without `done` means that the launcher
is dead: every watched process gets its signal, whatever is left of its group SIGKILL, and the paths are removed.
It holds the lock of the data folder meanwhile, so that a next start waits until it has finished.

Run as a plain script (`python -I guard.py`): it imports nothing of the project, so that it is ready in a moment.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

SECONDS_TO_STOP = 6.0


def clean_up(*, watched: dict[int, int], leftovers: list[str]) -> None:
    """Stops the watched processes and their groups, then removes what they left."""
    for pid, number in watched.items():
        send(pid, number)
    give_up_at = time.monotonic() + SECONDS_TO_STOP
    while any(is_there(-pid) for pid in watched) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    for pid in watched:
        send(-pid, signal.SIGKILL)
    for path in map(Path, leftovers):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def send(pid: int, number: int) -> None:
    """Sends a signal to a process (or, negative, its group) if it is there."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def is_there(pid: int) -> bool:
    """Whether the process (or, negative, any of its group) is there, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> None:
    """Follows the launcher until it says `done` or dies."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, int] = {}
    leftovers: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "watch":
            pid, number = map(int, rest.split())
            watched[pid] = number
        elif word == "forget":
            watched.pop(int(rest), None)
        elif word == "remove":
            leftovers.append(rest)
        elif word == "done":
            return
    clean_up(watched=watched, leftovers=leftovers)


if __name__ == "__main__":
    main()
