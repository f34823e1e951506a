"""A load generator: one thread, several kept connections, the next request when the last one is answered.

It does as little as possible between two requests, so that it isn't what is measured: about 20,000 requests a second.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One request, repeated. ``########`` in its body is a number that no two of a measurement share."""

    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: bytes = b""

    def encode(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


_NUMBER = b"########"
_numbers = itertools.count()


class UnexpectedAnswer(RuntimeError):
    """The server answered something else than what was to be measured."""


def requests_per_second(request: Request, *, status: int = 200, connections: int = 8, seconds: float = 2.0) -> float:
    """How many answers a second arrive. Raises UnexpectedAnswer for another status."""
    payload = request.encode()
    numbered = _NUMBER in payload

    def next_payload() -> bytes:
        return payload.replace(_NUMBER, b"%08d" % next(_numbers)) if numbered else payload

    expected = f"HTTP/1.1 {status} ".encode()
    answered = 0
    with selectors.DefaultSelector() as selector:
        sockets = []
        for _ in range(connections):
            connection = socket.create_connection(("127.0.0.1", request.port), timeout=10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(next_payload())
            selector.register(connection, selectors.EVENT_READ, bytearray())
            sockets.append(connection)
        started = time.perf_counter()
        until = started + seconds
        try:
            while time.perf_counter() < until:
                for key, _events in selector.select(timeout=10):
                    buffer: bytearray = key.data
                    received = key.fileobj.recv(262_144)  # type: ignore[union-attr]
                    if not received:
                        raise UnexpectedAnswer("The server closed the connection.")
                    buffer += received
                    if not _is_whole(buffer):
                        continue
                    if not buffer.startswith(expected):
                        raise UnexpectedAnswer(bytes(buffer[:600]).decode(errors="replace"))
                    buffer.clear()
                    answered += 1
                    key.fileobj.sendall(next_payload())  # type: ignore[union-attr]
            elapsed = time.perf_counter() - started
        finally:
            for connection in sockets:
                connection.close()
    return answered / elapsed


def _is_whole(buffer: bytearray) -> bool:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(buffer[:end]).lower()
    at = head.find(b"content-length:")
    if at < 0:
        return buffer.endswith(b"0\r\n\r\n")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0])
    return len(buffer) >= end + 4 + length
