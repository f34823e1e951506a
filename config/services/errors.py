"""What can keep PostgreSQL or Redis from being there. Each message is one line, fit to be shown as it is."""

from __future__ import annotations

from pathlib import Path


class ServicesError(Exception):
    """The services can't be had; the text says why and what to do."""


class FolderInUse(ServicesError):
    """Another launcher works on the same data folder."""

    def __init__(self, *, folder: Path, pid: int | None) -> None:
        who = f" (process {pid})" if pid else ""
        super().__init__(f"AppRun is already running on {folder}{who}: stop it first, or set DATA_DIR.")


class FolderNotOurs(ServicesError):
    """The data folder, or a part of it, belongs to somebody else."""


class ProgramMissing(ServicesError):
    """No usable server program was found."""


class ServerDidNotStart(ServicesError):
    """The server ended, or wasn't ready in time."""


class ServerUnreachable(ServicesError):
    """A server named by DATABASE_URL or REDIS_URL doesn't answer."""


class NoFreePort(ServicesError):
    """Every port of the range is taken."""
