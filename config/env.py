"""What the platform reads from its environment. Every other module asks here, so that the list is in one place."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import environ

ROOT = Path(__file__).resolve().parent.parent

env = environ.Env()

LOOPBACK_NAMES = {"", "localhost"}


def is_loopback(host: str) -> bool:
    """Whether a database host is this machine: a loopback address, ``localhost``, or a socket's folder."""
    if host in LOOPBACK_NAMES or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
