"""Which of the database's promises a write would have broken."""

from __future__ import annotations

from typing import Any, cast

from django.db import IntegrityError


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that refused the write, as the server reports it."""
    diagnosis = getattr(cast(Any, error.__cause__), "diag", None)
    name = getattr(diagnosis, "constraint_name", None)
    return str(name) if name else None
