"""The programs write their own log files; the terminal shows what is wrong in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from config.services import ServicesError

ROTATE_AT_BYTES = 20_000_000
LINES_AT_ONCE = 40
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TROUBLE = re.compile(r'"level": ?"(error|critical)"|\[(error|critical) *\]|\b(ERROR|CRITICAL|FATAL|PANIC)\b|^Traceback')
# PostgreSQL logs as ERROR what the platform expects and answers for, such as a unique constraint that decided a race.
SERVER_TROUBLE = re.compile(r"\b(FATAL|PANIC)\b")


@dataclass
class LogTail:
    """Follows one log file from where it ends now."""

    name: str
    path: Path
    verbose: bool
    position: int = 0
    in_traceback: bool = False

    def __post_init__(self) -> None:
        if self.path.exists():
            self.position = self.path.stat().st_size

    def read_new(self) -> list[str]:
        """The lines to show since the last call: all when verbose, else errors with their tracebacks."""
        if not self.path.exists() or self.path.stat().st_size == self.position:
            return []
        with self.path.open("rb") as file:
            file.seek(self.position)
            text = file.read()
        complete, separator, _ = text.rpartition(b"\n")
        self.position += len(complete) + len(separator)
        lines = [line for line in complete.decode(errors="replace").splitlines() if self._is_shown(line)]
        if len(lines) > LINES_AT_ONCE:
            lines = [*lines[:LINES_AT_ONCE], f"… {len(lines) - LINES_AT_ONCE} more lines in {self.path}"]
        return [f"{self.name:<8} | {line}" for line in lines]

    def _is_shown(self, line: str) -> bool:
        if self.verbose:
            return True
        plain = ANSI.sub("", line)
        if self.in_traceback:
            self.in_traceback = plain.startswith((" ", "\t")) or not plain.strip()
            return bool(plain.strip())  # the first line that isn't indented is the exception itself
        pattern = SERVER_TROUBLE if self.name in {"postgres", "redis"} else TROUBLE
        if not pattern.search(plain):
            return False
        self.in_traceback = plain.startswith("Traceback")
        return True


def rotate(path: Path) -> None:
    """Keeps one older log file when this one has grown large."""
    if path.exists() and path.stat().st_size > ROTATE_AT_BYTES:
        path.replace(path.with_suffix(".log.1"))


def read_end(path: Path, *, lines: int = 20) -> str:
    """The last lines of a log, to show why a program ended."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        raise ServicesError(f"Can't read {path}: {error.strerror}") from None
