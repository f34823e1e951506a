"""The passwords of a workspace database's logins: made here, sealed in its row."""

from __future__ import annotations

import secrets

from apps.databases.models import WorkspaceDatabase
from apps.secrets.services import open_value, seal_value

_MODEL = "databases.WorkspaceDatabase"
#: Bytes of randomness in a password; written in 43 characters that need no quoting in a DSN.
_BYTES = 32


def new_password() -> str:
    """A password that nobody has to remember."""
    return secrets.token_urlsafe(_BYTES)


def seal_password(database: WorkspaceDatabase, password: str) -> str:
    """What ``secret`` keeps: the password of the published login."""
    return seal_value(password.encode(), model=_MODEL, key=str(database.pk), field="secret")


def open_password(database: WorkspaceDatabase) -> str:
    """The password of the published login. Raises KeyMissing, SealBroken."""
    return open_value(database.secret, model=_MODEL, key=str(database.pk), field="secret").decode()


def seal_next_password(database: WorkspaceDatabase, password: str) -> str:
    """What ``next_secret`` keeps: the password that a rotation gives the other login."""
    return seal_value(password.encode(), model=_MODEL, key=str(database.pk), field="next_secret")


def open_next_password(database: WorkspaceDatabase) -> str:
    """The password of the login that a rotation will publish. Raises KeyMissing, SealBroken."""
    return open_value(database.next_secret, model=_MODEL, key=str(database.pk), field="next_secret").decode()
