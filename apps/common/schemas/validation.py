"""The one place where validators are made.

By default ``jsonschema-rs`` fetches whatever a ``$ref`` names, ignores formats, and runs patterns on an engine that
backtracks. Here it is offline, formats are checked, and patterns are linear in time and bounded in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from apps.common.errors import FieldError, InvalidInput

from .sentences import describe

MAX_ERRORS = 50
"""Errors reported of one value; more help nobody."""
MAX_PATTERN_MEMORY = 1_048_576
MAX_URL = 2_048


class SchemaRefused(InvalidInput):
    """The schema itself can't be used; ``errors`` point into it."""

    code = "invalid_schema"
    detail = "The schema is not valid; see errors."


class Schema:
    """A compiled JSON Schema (draft 2020-12)."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.document = schema
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                dict(schema),
                offline=True,
                validate_formats=True,
                formats={"uri": is_web_address},
                pattern_options=jsonschema_rs.RegexOptions(
                    size_limit=MAX_PATTERN_MEMORY, dfa_size_limit=MAX_PATTERN_MEMORY
                ),
                email_options=jsonschema_rs.EmailOptions(
                    require_tld=True, allow_domain_literal=False, allow_display_text=False
                ),
            )
        except jsonschema_rs.ValidationError as error:
            raise SchemaRefused(errors=[_schema_fault(error)]) from None
        except (ValueError, RecursionError) as error:
            raise SchemaRefused(errors=[FieldError("", "invalid_schema", f"This is no JSON Schema: {error}")]) from None

    def is_valid(self, value: Any) -> bool:
        return self._validator.is_valid(value)

    def errors(self, value: Any, *, at: str = "") -> tuple[FieldError, ...]:
        """What is wrong with ``value``, in the order of the schema, at most ``MAX_ERRORS``; empty when it is valid.

        Pointers are RFC 6901, below ``at``. Codes: ``required``, ``unknown_field``, ``wrong_type``, ``not_in_enum``,
        ``too_small``, ``too_large``, ``not_a_multiple``, ``too_short``, ``too_long``, ``bad_pattern``, ``bad_format``,
        ``too_few``, ``too_many``, ``not_unique``, ``bad_name``, ``invalid``.
        """
        if self._validator.is_valid(value):
            return ()
        found = (
            FieldError(at + pointer_to(path), code, detail)
            for error in self._validator.iter_errors(value)
            for path, code, detail in describe(error, self.document)
        )
        return tuple(dict.fromkeys(islice(found, MAX_ERRORS)))


def compile_schema(schema: Mapping[str, Any]) -> Schema:
    """A validator of ``schema``. Raises ``SchemaRefused`` with pointers into the schema.

    A reference is resolved within the schema only; one to an address or a file is refused, never fetched.
    """
    return Schema(schema)


def pointer_to(path: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path of keys and indexes: ``["a/b", 0]`` is ``/a~1b/0``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def is_web_address(text: str) -> bool:
    """Whether ``text`` is an absolute ``http`` or ``https`` address with a host; never ``javascript:`` and the like."""
    if len(text) > MAX_URL or any(character <= " " or character == "\x7f" for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port >= 0)
    except ValueError:
        return False


def _schema_fault(error: jsonschema_rs.ValidationError) -> FieldError:
    path: Sequence[str | int] = list(error.instance_path)
    if "Resource" in error.message or "$ref" in path:
        return FieldError(pointer_to(path), "reference_refused", "A reference outside this schema is not followed.")
    if path and path[-1] == "pattern":
        detail = (
            "This pattern can't be used: look-around and back-references are not available, brackets must match, and a "
            "pattern may not repeat too much."
        )
        return FieldError(pointer_to(path), "bad_pattern", detail)
    return FieldError(pointer_to(path), "invalid_schema", f"This is no JSON Schema: {error.message[:200]}.")
