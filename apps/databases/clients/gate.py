"""Letting what a server sends through to libpq by measured portions.

libpq reads from its socket for as long as there is something, in one call, and puts all of it into memory: a single
value of a gigabyte can't be refused by looking in between. So while an answer is awaited, another socket takes the
place of the server's behind libpq's file descriptor, and what comes is handed on from the one to the other.
"""

from __future__ import annotations

import os
import select
import socket
from types import TracebackType
from typing import Self

from psycopg import pq
from psycopg.pq.abc import PGconn

_PORTION = 65_536


class Gate:
    """Stands between ``protocol`` and its server from ``with`` on, after everything was sent.

    When it is left with the answer read to its end, the connection is as before; otherwise close the connection first.
    """

    def __init__(self, protocol: PGconn) -> None:
        self._protocol = protocol

    def __enter__(self) -> Self:
        descriptor = self._protocol.socket
        self._server = os.dup(descriptor)
        self._inner, outer = socket.socketpair()
        for end in (self._inner, outer):
            end.setblocking(False)
        os.dup2(outer.fileno(), descriptor, inheritable=False)
        outer.close()
        return self

    def let_in(self, seconds: float) -> int | None:
        """Have libpq read what has come, at most a portion: its bytes, or None when nothing came within ``seconds``.

        Raises psycopg.OperationalError when the server has closed the connection.
        """
        inside = self._protocol.socket
        poll = select.poll()
        poll.register(inside, select.POLLIN)
        poll.register(self._server, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)}
        if not ready:
            return None
        portion = 0
        if inside not in ready:
            received = os.read(self._server, _PORTION)
            portion = len(received)
            if received:
                self._inner.sendall(received)
            else:
                self._inner.shutdown(socket.SHUT_WR)
        self._protocol.consume_input()
        return portion

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._protocol.status == pq.ConnStatus.OK:
            os.dup2(self._server, self._protocol.socket, inheritable=False)
        os.close(self._server)
        self._inner.close()
