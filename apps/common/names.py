"""Names that people give, to themselves and to what they make: shown to others beside our own words."""

from __future__ import annotations

import re

from apps.common.errors import FieldError, InvalidInput

#: Control characters, line and paragraph separators, lone surrogates, and what turns the direction of the text around
#: it (UAX #9, sections 2.1 to 2.4): a name with these reads as something else, or writes into the sentence beside it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def name_errors(name: str, *, pointer: str = "/name") -> list[FieldError]:
    """What keeps ``name`` from being one: nothing, or its control characters."""
    if _CONTROL.search(name):
        return [FieldError(pointer, "invalid_name", "A name has no control characters.")]
    return []


def check_name(name: str, *, pointer: str = "/name") -> None:
    """Raise InvalidInput at ``pointer`` for a name with control characters."""
    if errors := name_errors(name, pointer=pointer):
        raise InvalidInput(errors=errors)
