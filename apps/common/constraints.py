"""Writes that may break one of the database's promises, and which one it was."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from django.db import IntegrityError, connection, transaction


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that refused the write, as the server reports it."""
    diagnosis = getattr(cast(Any, error.__cause__), "diag", None)
    name = getattr(diagnosis, "constraint_name", None)
    return str(name) if name else None


def undone_when_refused() -> AbstractContextManager[Any]:
    """For one statement that the database may refuse, so that whoever called can go on. By itself it is a transaction
    already, and begins no other; within one it needs a savepoint."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()
