"""Opening sessions on a workspace's server."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from apps.databases.errors import WorkspaceDatabaseUnavailable

#: Of the platform's own connection string what says where the server is and how to trust it, not who logs in.
_PLACE = ("host", "hostaddr", "port", "sslmode", "sslrootcert", "sslcrl", "channel_binding", "gssencmode")


def connect_as(
    admin_dsn: str,
    *,
    database: str,
    user: str,
    password: str,
    application: str,
    settings: dict[str, str] | None = None,
    timeout: int = 5,
) -> psycopg.Connection[Any]:
    """A session of ``user`` in ``database``, on the server that ``admin_dsn`` leads to, in autocommit mode.

    ``settings`` hold from the start, so ``RESET`` and ``DISCARD ALL`` lead back to them. ``timeout`` is in seconds.
    Raises WorkspaceDatabaseUnavailable.
    """
    place: dict[str, Any] = {name: value for name, value in conninfo_to_dict(admin_dsn).items() if name in _PLACE}
    options = " ".join(f"-c {name}={_escape(value)}" for name, value in (settings or {}).items())
    try:
        return psycopg.connect(
            make_conninfo(
                **place,
                dbname=database,
                user=user,
                password=password,
                application_name=application,
                connect_timeout=timeout,
                options=options,
            ),
            autocommit=True,
            prepare_threshold=None,
        )
    except psycopg.OperationalError as error:
        raise WorkspaceDatabaseUnavailable from error


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
