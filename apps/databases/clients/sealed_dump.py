"""The way of a dump: ``pg_dump`` → zstd → sealed → whoever reads, with the sums of both ends taken in passing.

It is **pulled**: a storage reads from it as from a file, so that an upload in parts needs no more memory than a part,
and a dump that ends badly raises in the middle of the upload instead of ending it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import zstandard

from apps.databases.errors import DumpFailed
from apps.secrets.services import SealedWriter

#: How much is read from ``pg_dump`` at once, and how much the pipe holds: it goes on while we compress.
_PIECE = _PIPE = 1 << 20


class PgDump:
    """A running ``pg_dump``, uncompressed custom format; ``read`` raises DumpFailed unless it ended well.

    As a context manager it leaves no process behind.
    """

    def __init__(self, program: Path | str, *, environment: Mapping[str, str], snapshot: str, lock_wait: int) -> None:
        command = [
            str(program),
            "--format=custom",
            "--compress=0",
            f"--snapshot={snapshot}",
            f"--lock-wait-timeout={lock_wait}",
            "--no-password",
        ]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,
        )
        self._pipe = cast(IO[bytes], self.process.stdout)
        self._buffer = memoryview(bytearray(_PIECE))
        _widen(self._pipe)

    def read(self) -> memoryview:
        """The next piece, to be used before the next call; empty only at a good end. Raises DumpFailed."""
        size = cast(Any, self._pipe).readinto(self._buffer)
        if not size and self.process.wait() != 0:
            raise DumpFailed(self._explain())
        return self._buffer[:size]

    def _explain(self) -> str:
        self._said.seek(0)
        lines = [line for line in self._said.read().decode(errors="replace").splitlines() if "error:" in line]
        code = self.process.returncode
        reason = lines[0].partition("error: ")[2] if lines else f"it was ended by signal {-code}" if code < 0 else ""
        return f"pg_dump failed: {reason or f'exit status {code}'}"[:300]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self._pipe.close()
        self._said.close()


class SealedDump(io.RawIOBase):
    """A file to read from: the dump as it is stored. ``size``, ``sha256`` (of that) and ``dump_bytes`` are final once
    the end was read; ``sealed_key`` is there from the start. ``watch`` is called for each piece and may raise."""

    name = "dump"

    def __init__(
        self, dump: PgDump, *, model: str, key: str, field: str, level: int, watch: Callable[[], None]
    ) -> None:
        super().__init__()
        self.size = self.dump_bytes = 0
        self._hash = hashlib.sha256()
        self._ready: list[bytes] = []
        self._waiting = 0
        self._ended = False
        self._dump = dump
        self._watch = watch
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
        self._sealer = SealedWriter(_Collector(self._collect), model=model, key=key, field=field)
        self.sealed_key = self._sealer.sealed_key

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """``size`` bytes, fewer only at the end; all that is left when negative. Raises DumpFailed."""
        while not self._ended and (size < 0 or self._waiting < size):
            self._advance()
        data = b"".join(self._ready)
        given = data if size < 0 else data[:size]
        rest = data[len(given) :]
        self._ready, self._waiting = ([rest] if rest else []), len(rest)
        return given

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """All of it, in pieces as they come: what Django's storages read."""
        while not self._ended:
            self._advance()
            ready, self._ready, self._waiting = self._ready, [], 0
            yield from ready

    def _advance(self) -> None:
        self._watch()
        piece = self._dump.read()
        self.dump_bytes += len(piece)
        packed = self._compressor.compress(piece) if piece else self._compressor.flush()
        if packed:
            self._sealer.write(packed)
        if not piece:
            self._sealer.close()
            self._ended = True

    def _collect(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)
        self._waiting += len(data)
        self._ready.append(data)


class _Collector:
    """The target of the sealer."""

    def __init__(self, collect: Callable[[bytes], None]) -> None:
        self.write = collect


def _widen(pipe: IO[bytes]) -> None:
    """A larger pipe where the system allows it; one of 64 KiB works too."""
    try:
        fcntl.fcntl(pipe.fileno(), getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE)
    except OSError:
        return
