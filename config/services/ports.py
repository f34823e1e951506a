"""Free loopback ports, below the range that the kernel gives to outgoing connections."""

from __future__ import annotations

import os
import random
import socket

from .errors import NoFreePort, ServicesError

LOOPBACK = "127.0.0.1"
DEFAULT_RANGE = "20000-32767"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick_port(*, preferred: int | None, taken: set[int]) -> int:
    """The preferred port if it is free, else any free one of the range SERVICES_PORTS (`first-last`)."""
    if preferred and preferred not in taken and is_free(preferred):
        return preferred
    text = os.environ.get("SERVICES_PORTS") or DEFAULT_RANGE
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) < 65536):
        raise ServicesError(f"SERVICES_PORTS is {text!r}: expected two numbers, such as {DEFAULT_RANGE}.")
    candidates = [port for port in range(int(first), int(last) + 1) if port not in taken]
    random.shuffle(candidates)
    for port in candidates:
        if is_free(port):
            return port
    raise NoFreePort(f"No free port on {LOOPBACK} in {text}: set SERVICES_PORTS to another range.")
