"""A page as bytes: made once, answered many times.

Between two visitors of the same page only two words differ, the nonce of its Content-Security-Policy and the token of
its form. So the page is rendered once with marks in their places and cut there; an answer is the pieces with the words
between them. The pieces are compressed once, too: deflate lets compressed pieces and plain ones follow each other
(RFC 1951, section 3.2), and the words go in plain, so compression tells nothing about a secret beside what an attacker
put into the page (BREACH).
"""

from __future__ import annotations

import re
import secrets
import struct
import zlib
from collections.abc import Mapping

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"

_RUN_OF_THIS_PROCESS = secrets.token_hex(8)
NONCE_MARK = f"nonce-{_RUN_OF_THIS_PROCESS}"
CSRF_MARK = f"csrf-{_RUN_OF_THIS_PROCESS}"
_MARKS = re.compile(f"({NONCE_MARK}|{CSRF_MARK})".encode())


class Document:
    """The bytes of a page, with places for what differs between answers."""

    def __init__(self, html: str) -> None:
        """``html`` bears ``NONCE_MARK`` and ``CSRF_MARK`` where an answer puts its own."""
        self._pieces: list[tuple[bytes, bytes]] = []
        self._names: list[str] = []
        for number, piece in enumerate(_MARKS.split(html.encode())):
            if number % 2:
                self._names.append("nonce" if piece == NONCE_MARK.encode() else "csrf")
            else:
                self._pieces.append((piece, _deflated(piece)))

    def plain(self, *, nonce: str, csrf: str) -> bytes:
        """The page."""
        words = {"nonce": nonce.encode(), "csrf": csrf.encode()}
        parts = [self._pieces[0][0]]
        for name, (piece, _) in zip(self._names, self._pieces[1:], strict=True):
            parts += (words[name], piece)
        return b"".join(parts)

    def gzipped(self, *, nonce: str, csrf: str) -> bytes:
        """The page as a gzip stream (RFC 1952)."""
        words = {"nonce": nonce.encode(), "csrf": csrf.encode()}
        stored: Mapping[str, bytes] = {name: _stored(word) for name, word in words.items()}
        first, compressed = self._pieces[0]
        parts = [_GZIP_HEADER, compressed]
        checksum, length = zlib.crc32(first), len(first)
        for name, (piece, compressed) in zip(self._names, self._pieces[1:], strict=True):
            word = words[name]
            parts += (stored[name], compressed)
            checksum = zlib.crc32(piece, zlib.crc32(word, checksum))
            length += len(word) + len(piece)
        parts += (_LAST_BLOCK, struct.pack("<II", checksum, length & 0xFFFFFFFF))
        return b"".join(parts)


def _deflated(piece: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)


def _stored(word: bytes) -> bytes:
    """A block that isn't compressed; it starts at a byte, as a flushed piece ends at one."""
    return struct.pack("<BHH", 0, len(word), len(word) ^ 0xFFFF) + word
