"""The container of an archive: a tar through zstd, written and read in one pass and constant memory.

Members are plain files of at most ``PART_BYTES`` in POSIX ustar format (IEEE Std 1003.1, "pax", ustar interchange
format); any tar unpacks them. What is read is taken as hostile: only the headers that are written here are known, so
no long names, links, sparse files or attributes can make the reader do or keep anything.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator
from typing import Protocol

import zstandard

from apps.archives.errors import ArchiveBroken, ArchiveTooLarge

#: Members are cut at the first row behind this many bytes.
PART_BYTES = 4 << 20
#: The largest member that is read: a part may end with one large row. It is held in memory, three times at worst.
MEMBER_MAX_BYTES = 64 << 20
#: The largest document (settings, manifest) that is read.
DOCUMENT_MAX_BYTES = 32 << 20

_BLOCK = tarfile.BLOCKSIZE
_LEVEL = 3
#: The decoder keeps this much of what it has unpacked, at most (level 3 uses 2 MiB).
_WINDOW_BYTES = 8 << 20
_READ_BYTES = 1 << 20
#: Packed bytes that are unpacked at a time: a block of 128 KiB takes four of them at least (RFC 8878, section 3.1.1.2),
#: so no bomb makes more than 32 MiB of them before it is noticed.
_STEP_BYTES = 1024
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\.json|tables/[a-z][a-z0-9_]{0,62}/[0-9]{6}\.copy")
#: A fixed time in all headers: the same rows are the same archive.
_EPOCH = 0


class Target(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    """Where bytes come from; empty at the end."""

    def read(self, size: int, /) -> bytes: ...


class ContainerWriter:
    """Writes members into ``target``; ``close`` ends the tar and the zstd frame, and leaves ``target`` open.

    ``sha256`` and ``size`` are of what was written.
    """

    def __init__(self, target: Target) -> None:
        self._counted = _Counted(target)
        self._packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()

    def add(self, name: str, content: bytes) -> None:
        """One member."""
        header = tarfile.TarInfo(name)
        header.size, header.mtime, header.mode = len(content), _EPOCH, 0o600
        padding = -len(content) % _BLOCK
        self._pack(header.tobuf(tarfile.USTAR_FORMAT))
        self._pack(content)
        self._pack(bytes(padding))

    def close(self) -> None:
        """The two empty blocks of tar's end, and the frame's."""
        self._pack(bytes(2 * _BLOCK))
        self._counted.write(self._packer.flush())

    @property
    def size(self) -> int:
        return self._counted.size

    @property
    def sha256(self) -> str:
        return self._counted.digest.hexdigest()

    def _pack(self, data: bytes) -> None:
        packed = self._packer.compress(data)
        if packed:
            self._counted.write(packed)


def read_members(source: Source, *, unpacked_max: int) -> Iterator[tuple[str, bytes]]:
    """The members in order, each with its name and whole content.

    Raises ArchiveBroken (no zstd or tar of ours, cut off, something behind its end), ArchiveTooLarge above
    ``unpacked_max`` bytes or for one member that is too large to be held.
    """
    unpacked = _Unpacked(source, unpacked_max)
    while header := _header(unpacked):
        content = unpacked.take(header.size)
        unpacked.take(-header.size % _BLOCK)
        yield header.name, content
    unpacked.require_end()


def _header(unpacked: _Unpacked) -> tarfile.TarInfo | None:
    """The next member's, None at the end of the tar."""
    block = unpacked.take(_BLOCK)
    if not any(block):
        if any(unpacked.take(_BLOCK)):
            raise ArchiveBroken("The archive goes on behind its end.")
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise ArchiveBroken("The archive holds something that isn't a member of a tar.") from error
    if header.type != tarfile.REGTYPE or not _NAME.fullmatch(header.name) or header.size < 0:
        raise ArchiveBroken("The archive holds a member that no archive of AppRun has.")
    limit = DOCUMENT_MAX_BYTES if header.name.endswith(".json") else MEMBER_MAX_BYTES
    if header.size > limit:
        raise ArchiveTooLarge(f"The member {header.name} is larger than {limit:,} bytes.")
    return header


class _Unpacked:
    """What a zstd frame unpacks to, up to a limit."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._left = limit
        self._unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
        self._waiting = memoryview(b"")
        self._ready = bytearray()

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes."""
        self._left -= size
        if self._left < 0:
            raise ArchiveTooLarge("The archive unpacks to more than is accepted.")
        while len(self._ready) < size:
            if not self._unpack():
                raise ArchiveBroken("The archive ends too early.")
        taken = bytes(memoryview(self._ready)[:size])
        del self._ready[:size]
        return taken

    def require_end(self) -> None:
        """Raise ArchiveBroken unless the frame is whole (its checksum holds) and nothing follows."""
        while not self._ready and self._unpack():
            pass
        if not self._unpacker.eof:
            raise ArchiveBroken(
                "Something follows the archive's end." if self._ready else "The archive ends too early."
            )
        if self._ready or self._unpacker.unused_data or self._waiting or self._source.read(1):
            raise ArchiveBroken("Something follows the archive's end.")

    def _unpack(self) -> bool:
        """Unpack a little more; False at the end."""
        if self._unpacker.eof:
            return False
        if not self._waiting:
            self._waiting = memoryview(self._source.read(_READ_BYTES))
        piece, self._waiting = self._waiting[:_STEP_BYTES], self._waiting[_STEP_BYTES:]
        if not piece:
            return False
        try:
            self._ready += self._unpacker.decompress(piece)
        except zstandard.ZstdError as error:
            raise ArchiveBroken("The archive is not whole: it can't be unpacked.") from error
        return True


class _Counted:
    """Counts and hashes what passes."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._target.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)
