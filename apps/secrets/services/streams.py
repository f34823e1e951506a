"""Sealed streams: what is too large for an envelope (a backup, an export), encrypted in passing, in constant memory.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance", CRYPTO 2015) over AES-256-GCM. A sealed stream is::

    header     "ARST" · version 1 · log2 of the chunk size · nonce prefix (7 random bytes)
    chunks     each ciphertext and its 16-byte tag; all but the last of exactly the chunk size, none empty
               but the only one of an empty stream

The nonce of a chunk is ``prefix ‖ counter (4 bytes, big-endian) ‖ 1 for the last chunk, else 0``; header and binding
are the associated data of each. So a chunk opens at its own place in its own stream only, and the end is known from
the last chunk itself. Every stream has a data key of its own. It is kept **apart**, as an envelope (``sealed_key``) in
a row or a manifest: rotating the key-encryption key re-wraps that, and the large file stays as it is.
"""

from __future__ import annotations

import io
import os
from types import TracebackType
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.secrets.errors import SealBroken
from apps.secrets.services.envelopes import binding, open_value, seal_value

_MAGIC = b"ARST\x01"
_PREFIX_BYTES = 7
_HEADER_BYTES = len(_MAGIC) + 1 + _PREFIX_BYTES
_TAG_BYTES = 16
#: The sizes of chunks that are written and read, as powers of two: 64 KiB to 1 MiB. It bounds what a reader buffers.
_POWERS = {1 << power: power for power in range(16, 21)}

CHUNK_BYTES = 1 << 20


class ByteSource(Protocol):
    """What sealed or plain bytes are read from: a file, a pipe, the body of an answer. Short reads are fine."""

    def read(self, size: int, /) -> bytes: ...


class ByteTarget(Protocol):
    """What bytes are written to. It takes all that it is given, or raises."""

    def write(self, data: bytes, /) -> object: ...


class SealedWriter:
    """A file-like object to write to; what is written arrives in ``target``, sealed for this model, key and field.

    ``sealed_key`` is there from the start: store it where the stream's reader will find it. ``close`` writes the last
    chunk and leaves ``target`` open. Used as a context manager, a block that raises leaves the stream **unfinished**:
    it never opens as a whole one. Nothing is written after ``close``; a writer that is forgotten finishes nothing.
    Raises ImproperlyConfigured when there is no key-encryption key.
    """

    def __init__(self, target: ByteTarget, *, model: str, key: str, field: str, chunk_bytes: int = CHUNK_BYTES) -> None:
        if chunk_bytes not in _POWERS:
            raise ValueError(f"A chunk is a power of two from {min(_POWERS)} to {max(_POWERS)} bytes.")
        data_key = AESGCM.generate_key(bit_length=256)
        self.sealed_key = seal_value(data_key, model=model, key=key, field=field)
        self.closed = False
        header = _MAGIC + bytes([_POWERS[chunk_bytes]]) + os.urandom(_PREFIX_BYTES)
        self._cipher = _Cipher(data_key, header, binding(model, key, field))
        self._target = target
        # Filled up and only then sealed, when more comes: the last chunk is not known to be it before ``close``.
        self._chunk = memoryview(bytearray(chunk_bytes))
        self._sealed = memoryview(bytearray(chunk_bytes + _TAG_BYTES))
        self._filled = 0
        target.write(header)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Seal ``data``; returns its length. Raises ValueError after ``close``."""
        if self.closed:
            raise ValueError("The sealed stream is closed.")
        rest = memoryview(data).cast("B")
        while rest:
            if self._filled == len(self._chunk):
                self._send(last=False)
            taken = min(len(rest), len(self._chunk) - self._filled)
            self._chunk[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]
        return memoryview(data).nbytes

    def close(self) -> None:
        """Write the last chunk. Closing again does nothing."""
        if not self.closed:
            self._send(last=True)
            self.closed = True

    def abandon(self) -> None:
        """Write nothing more: the stream stays unfinished, and a reader will say so."""
        self.closed = True

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Nothing: a chunk leaves when it is full."""

    def _send(self, *, last: bool) -> None:
        sealed = self._sealed[: self._filled + _TAG_BYTES]
        self._cipher.seal_into(self._chunk[: self._filled], sealed, last=last)
        # A copy: whoever queues what it is given, instead of writing it at once, must not see the next chunk in it.
        self._target.write(bytes(sealed))
        self._filled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


class SealedReader(io.RawIOBase):
    """A file-like object to read from: the plain bytes of a sealed stream, each chunk proved before it is given.

    ``read(n)`` gives ``n`` bytes, fewer only at the end; an empty answer is given only once the last chunk was proved
    and nothing follows it. Whatever is wrong raises SealBroken, and so does every later read. Since what comes before
    the fault has been given by then, don't act on a part before you have read to the end. ``close`` leaves ``source``
    open.
    """

    def __init__(self, source: ByteSource, *, data_key: bytes, bound_to: bytes) -> None:
        self._source = source
        header = self._take(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            raise SealBroken("This is not a sealed stream, or not even its beginning is there.")
        power = header[len(_MAGIC)]
        if power not in _POWERS.values():
            raise SealBroken("The beginning of the sealed stream was changed.")
        self._sealed_bytes = (1 << power) + _TAG_BYTES
        self._cipher = _Cipher(data_key, header, bound_to)
        self._plain = memoryview(bytearray(1 << power))
        self._from = self._to = 0
        self._ended = False
        self._fault: SealBroken | None = None
        # One chunk ahead: whether a chunk is the last is known once there is nothing behind it.
        self._next = self._take(self._sealed_bytes)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer``; returns how many bytes, fewer only at the end. Raises SealBroken."""
        if self.closed:
            raise ValueError("The sealed stream is closed.")
        into = memoryview(buffer).cast("B")
        given = 0
        while given < len(into):
            if self._from == self._to and not self._open_next():
                break
            taken = min(len(into) - given, self._to - self._from)
            into[given : given + taken] = self._plain[self._from : self._from + taken]
            self._from += taken
            given += taken
        return given

    def _open_next(self) -> bool:
        """Prove the next chunk; False behind the last one."""
        if self._fault is not None:
            raise self._fault
        if self._ended:
            return False
        sealed, self._next = self._next, self._take(self._sealed_bytes)
        last = not self._next
        try:
            self._to = self._cipher.open_into(sealed, self._plain, last=last)
        except SealBroken as error:
            self._fault = error
            raise
        self._from = 0
        self._ended = last
        return self._to > 0

    def _take(self, size: int) -> bytes:
        """``size`` bytes of the source, fewer only at its end."""
        taken = self._source.read(size)
        if len(taken) in (0, size):
            return taken
        parts = [taken]
        missing = size - len(taken)
        while missing and (taken := self._source.read(missing)):
            parts.append(taken)
            missing -= len(taken)
        return b"".join(parts)


class _Cipher:
    """The chunks of one stream, in order."""

    def __init__(self, data_key: bytes, header: bytes, bound_to: bytes) -> None:
        self._gcm = AESGCM(data_key)
        self._prefix = header[-_PREFIX_BYTES:]
        self._bound_to = header + bound_to
        self._counter = 0

    def seal_into(self, chunk: memoryview, sealed: memoryview, *, last: bool) -> None:
        self._gcm.encrypt_into(self._nonce(last=last), chunk, self._bound_to, sealed)
        self._counter += 1

    def open_into(self, sealed: bytes, chunk: memoryview, *, last: bool) -> int:
        """Fill ``chunk``; returns how many bytes. Raises SealBroken, which says what it was if that can be told."""
        size = len(sealed) - _TAG_BYTES
        if size < 0 or (size == 0 and self._counter):
            raise SealBroken("The sealed stream ends too early.")
        try:
            self._gcm.decrypt_into(self._nonce(last=last), sealed, self._bound_to, chunk[:size])
        except InvalidTag as error:
            raise SealBroken(self._diagnosis(sealed, last=last)) from error
        self._counter += 1
        return size

    def _diagnosis(self, sealed: bytes, *, last: bool) -> str:
        try:
            self._gcm.decrypt(self._nonce(last=not last), sealed, self._bound_to)
        except InvalidTag:
            return f"The sealed stream was changed or cut in chunk {self._counter}, or belongs elsewhere."
        if last:
            return f"The sealed stream ends too early: chunk {self._counter} is not its last."
        return f"Something was appended to the sealed stream: chunk {self._counter} is its last."

    def _nonce(self, *, last: bool) -> bytes:
        # OverflowError after 2**32 chunks: four pebibytes at the default size.
        return self._prefix + self._counter.to_bytes(4, "big") + bytes([last])


def seal_stream(
    source: ByteSource, target: ByteTarget, *, model: str, key: str, field: str, chunk_bytes: int = CHUNK_BYTES
) -> str:
    """Write all of ``source`` to ``target``, sealed; returns the sealed key that ``open_stream`` needs."""
    with SealedWriter(target, model=model, key=key, field=field, chunk_bytes=chunk_bytes) as writer:
        while data := source.read(chunk_bytes):
            writer.write(data)
    return writer.sealed_key


def open_stream(source: ByteSource, *, sealed_key: str, model: str, key: str, field: str) -> SealedReader:
    """A reader of the plain bytes that were sealed into ``source``, which stands at the beginning of the stream.

    Raises KeyMissing (the key-encryption key isn't configured), SealBroken (the sealed key belongs elsewhere, or this
    is no sealed stream); while reading, SealBroken.
    """
    data_key = open_value(sealed_key, model=model, key=key, field=field)
    return SealedReader(source, data_key=data_key, bound_to=binding(model, key, field))
