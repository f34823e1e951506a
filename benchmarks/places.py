"""Databases for a run, each on the server that the run was given, all dropped at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg


def own_name(subject: str) -> str:
    """What a database of this run is called: the process's number is in it, so that two runs on one server, each
    dropping what it made, don't destroy each other's."""
    return f"bench_{subject}_{os.getpid()}"


def sibling(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """An empty database for the block; yields its URL."""
    admin = sibling(server_url, "postgres")
    _execute(admin, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _execute(admin, f'CREATE DATABASE "{name}"')
    try:
        yield sibling(server_url, name)
    finally:
        _execute(admin, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def server_version(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).split(" ")[0] if row else "?"


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]
