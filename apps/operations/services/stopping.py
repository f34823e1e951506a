"""Whether this worker was asked to stop: one byte that it shares with the processes which it forks."""

from __future__ import annotations

import mmap

# Anonymous and shared: a worker's parent process takes the signal, and its children see what it writes.
_asked = mmap.mmap(-1, 1)


def ask_to_stop() -> None:
    """From now on this worker, all its processes, begins no step."""
    _asked[0] = 1


def asked_to_stop() -> bool:
    """Whether somebody asked this worker to stop."""
    return _asked[0] == 1


def forget_to_stop() -> None:
    """A worker begins: what was asked of an earlier one in this process is over."""
    _asked[0] = 0
