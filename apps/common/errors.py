"""The categories of error that the platform knows.

Every error that a rule raises is a subclass of one of these. It names a fact
(``HostnameAlreadyClaimed(Conflict)``), carries a stable ``code`` for programs and a sentence for people, and knows
nothing of HTTP: ``apps.common.api.problems`` alone maps a category to a status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong in the input.

    ``pointer`` is an RFC 6901 JSON pointer into the body (``""`` is the whole of it), ``code`` a stable word for
    programs, ``detail`` a sentence for people that says what to do.
    """

    pointer: str
    code: str
    detail: str


class AppRunError(Exception):
    """Base of all errors that callers are meant to see.

    ``detail`` is a sentence for people. ``extra`` holds further members for the problem document.
    """

    code = "error"
    detail = "The request could not be carried out."

    def __init__(self, detail: str | None = None, *, code: str | None = None, **extra: Any) -> None:
        if detail is not None:
            self.detail = detail
        if code is not None:
            self.code = code
        self.extra: Mapping[str, Any] = extra
        super().__init__(self.detail)


class InvalidInput(AppRunError):
    """What was sent can't be accepted as it is; ``errors`` says where and why."""

    code = "invalid_input"
    detail = "The input is not valid; see errors."

    def __init__(
        self, detail: str | None = None, *, errors: Sequence[FieldError] = (), code: str | None = None, **extra: Any
    ) -> None:
        super().__init__(detail, code=code, **extra)
        self.errors = tuple(errors)

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> InvalidInput:
        """An error with one field at fault."""
        return cls(errors=[FieldError(pointer, code, detail)])


class InvalidActionInput(InvalidInput):
    """The inputs of a runtime action don't fit its schema."""

    code = "invalid_inputs"
    detail = "The inputs don't fit this action; see errors."


class TooLarge(AppRunError):
    """More was sent than is accepted in one request."""

    code = "too_large"


class NotAuthenticated(AppRunError):
    """Nobody, or credentials that don't hold."""

    code = "not_authenticated"
    detail = "Sign in, or send a valid access token or API key."


class Denied(AppRunError):
    """A known caller may not do this."""

    code = "permission_denied"
    detail = "You may not do this here."


class NotFound(AppRunError):
    """There is no such thing, or none that this caller may know of."""

    code = "not_found"
    detail = "There is nothing here under this name."


class Conflict(AppRunError):
    """The request contradicts the present state."""

    code = "conflict"


class IllegalTransition(Conflict):
    """A state can't be left in the direction that was asked for."""

    code = "illegal_transition"


class Gone(AppRunError):
    """There was something here; it has been put away."""

    code = "gone"


class StaleRevision(AppRunError):
    """The resource changed since the caller read it (RFC 9110, section 13.1.1)."""

    code = "stale_revision"
    detail = "This was changed since you read it. Read it again and repeat your change."


class RevisionRequired(AppRunError):
    """A change of this resource must name the revision it is based on (RFC 6585, section 3)."""

    code = "revision_required"
    detail = "Send the ETag that you read as If-Match."


class KeyReused(AppRunError):
    """An idempotency key came back with another request."""

    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used for another request. Use a new key for a new request."


class QuotaExceeded(AppRunError):
    """A hard limit of the plan is reached."""

    code = "quota_exceeded"


class RateLimited(AppRunError):
    """Too many requests; ``retry_after`` is in seconds."""

    code = "rate_limited"
    detail = "Too many requests. Wait, then try again."

    def __init__(self, detail: str | None = None, *, retry_after: float = 1.0, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


class Unavailable(AppRunError):
    """A part that this needs does not answer now; ``retry_after`` is in seconds."""

    code = "unavailable"
    detail = "A part that this needs is not available now. Try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: float = 5.0, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


class WrongWorkspace(RuntimeError):
    """A row or a query of one workspace is used inside another: a fault of the program, never of its caller."""
