"""Storages of files: folders in which a file is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from glob import escape
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage

_PART = ".part"


class AtomicFileSystemStorage(FileSystemStorage):
    """A folder. A file is written beside its place, synced, and renamed: readers and crashes never meet a half.

    What is saved again under a name replaces what was there. A part that a killed process left is a hidden file that
    ``listdir`` doesn't show; ``delete_parts`` removes those of a folder.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_overwrite": True, **options})

    def _save(self, name: str, content: Any) -> str:
        target = Path(self.path(name))
        self._make_folder(target.parent)
        descriptor, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=_PART)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            if self.file_permissions_mode is not None:
                Path(part).chmod(self.file_permissions_mode)
            Path(part).replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(part).unlink()
            raise
        _sync_folder(target.parent)
        return name

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        folders, files = super().listdir(path)
        return folders, [name for name in files if not name.endswith(_PART)]

    def delete_parts(self, path: str) -> None:
        """Delete what killed processes left half-written in a folder, and the folder when nothing else is in it."""
        folder = Path(self.path(path))
        for part in folder.glob(f".*{_PART}"):
            part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def delete_parts_of(self, name: str) -> None:
        """Delete what killed processes left half-written of one file. Nobody may be writing it."""
        target = Path(self.path(name))
        for part in target.parent.glob(f".{escape(target.name)}.*{_PART}"):
            part.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        mode = self.directory_permissions_mode or 0o777
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=mode, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    """So that the rename outlives a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
