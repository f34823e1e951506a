"""Which names of time zones are taken."""

from __future__ import annotations

import pytest

from apps.common.localities import time_zone_errors


@pytest.mark.parametrize("name", ["UTC", "Europe/Vienna", "America/Argentina/Ushuaia", "Etc/GMT+5", "EST5EDT"])
def test_zones_of_the_iana_database_are_taken(name: str) -> None:
    assert time_zone_errors(name) == []


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory", "posix/UTC", "right/UTC", "zone.tab", ""])
def test_other_files_beside_the_zones_are_none(name: str) -> None:
    (fault,) = time_zone_errors(name, pointer="/zone")
    assert (fault.pointer, fault.code) == ("/zone", "invalid_time_zone")
