"""Under which account the servers run, and where that account can keep their data.

PostgreSQL refuses to run as root, rightly. Root therefore starts both servers as an unprivileged account that exists
already; nothing is created in the system's list of accounts, and no permission is changed on a folder we didn't make.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import FolderNotOurs, ServicesError

PREFERRED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int

    def as_popen_arguments(self) -> dict[str, Any]:
        """What makes `subprocess` start a program as this account, with no group beside its own."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may(self, *, test: str, path: Path) -> bool:
        """Whether the account passes `test(1)`'s check (`-x`, `-d`…) on the path: asked of the kernel, not computed."""
        command = ["/bin/sh", "-c", f'test {test} "$1" -a -x "$1"', "sh", str(path)]
        return subprocess.run(command, check=False, cwd="/", **self.as_popen_arguments()).returncode == 0  # noqa: S603


def is_root() -> bool:
    """Whether this process may become another account (and must, for PostgreSQL)."""
    return os.geteuid() == 0


def choose_account(*, data_folder: Path) -> Account | None:
    """None when we aren't root; else the owner of the data when there are any, else a preferred account."""
    if not is_root():
        return None
    if data_folder.is_dir() and (owner := data_folder.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServicesError(f"PostgreSQL can't run as root, and there is no account {' or '.join(PREFERRED)} to run it as.")


def is_below_a_home_of_root(path: Path) -> bool:
    """Whether the path lies in the home of an account with uid 0 (`/` as a home doesn't count)."""
    homes = {Path(entry.pw_dir).resolve() for entry in pwd.getpwall() if entry.pw_uid == 0} - {Path("/")}
    return any(path.resolve().is_relative_to(home) for home in homes)


def is_usable(*, folder: Path, account: Account | None) -> bool:
    """Whether servers of that account may keep their data below the folder."""
    if account is None:
        return True
    return not is_below_a_home_of_root(folder) and account.may(test="-d", path=folder)


def make_substitute_folder() -> Path:
    """A new folder for the servers' data outside of any home; its random name can't be taken by someone else first."""
    folder = Path(tempfile.mkdtemp(prefix="apprun-", dir="/var/tmp"))
    folder.chmod(0o711)
    return folder


def make_folder(*, path: Path, account: Account | None) -> None:
    """Makes the folder for the account alone (0700) unless it exists.

    Raises FolderNotOurs when it exists and belongs to someone else.
    """
    wanted = account.uid if account else os.geteuid()
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir() or path.is_symlink() or path.stat().st_uid != wanted:
            raise FolderNotOurs(
                f"{path} isn't a folder of {account.name if account else 'yours'}: set DATA_DIR."
            ) from None
        return
    if account:
        os.chown(path, account.uid, account.gid)
