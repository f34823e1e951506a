"""Web servers under measurement: each a process of its own on the loopback interface."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_START_LIMIT = 60.0


def granian(application: str, port: int) -> list[str]:
    """Granian in WSGI mode, one process."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", application),
    ]


def gunicorn(application: str, port: int) -> list[str]:
    """Gunicorn with threads, one process."""
    return [
        *(sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "8", "--worker-class", "gthread"),
        *("--bind", f"127.0.0.1:{port}", "--log-level", "warning", application),
    ]


@contextmanager
def serving(command: list[str], *, port: int, environment: Mapping[str, str], ready_path: str) -> Iterator[None]:
    """Run the server for the block; it is ready when ``ready_path`` answers anything below 500."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    try:
        _wait(process, f"http://127.0.0.1:{port}{ready_path}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + _START_LIMIT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode} before it answered {url}")
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"Nothing answered {url} within {_START_LIMIT:.0f} s")
