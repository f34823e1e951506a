"""Where people are: language tags and time zones."""

from __future__ import annotations

import re
import zoneinfo
from functools import lru_cache

from apps.common.errors import FieldError

#: Language, script, region (RFC 5646, section 2.1, without variants and extensions).
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
#: Files beside the zones that are none: what a clock shows before it is set, what this machine or POSIX rules mean.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})


def locale_errors(locale: str, *, pointer: str = "/locale") -> list[FieldError]:
    """What is wrong with a language tag; empty when it can be used."""
    if _LOCALE.fullmatch(locale):
        return []
    return [FieldError(pointer, "invalid_locale", "Use a language tag such as en, pt-BR or zh-Hans.")]


def time_zone_errors(name: str, *, pointer: str = "/time_zone") -> list[FieldError]:
    """What is wrong with the name of a time zone; empty when the IANA database has it, and so every
    machine the same."""
    if name in _time_zones():
        return []
    return [FieldError(pointer, "invalid_time_zone", "Use a name of the IANA database, such as Europe/Vienna.")]


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES
