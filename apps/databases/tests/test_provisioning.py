"""Making a database: what stands on the server afterwards, and what happens when a worker dies in between."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from apps.databases.tests.factories import connect_as_login, suite_dsn


def test_login_gets_in_and_may_change_rows_only(make_database: Any) -> None:
    database = make_database()
    with connect_as_login(database) as client:
        assert client.execute("SHOW search_path").fetchone() == ("app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("CREATE TABLE mine (i int)")


def test_its_size_is_known_from_the_first_moment(make_database: Any) -> None:
    database = make_database()
    assert database.size_measured_at is not None
    with psycopg.connect(suite_dsn()) as server:
        row = server.execute("SELECT pg_database_size(%s)", [database.name]).fetchone()
    assert row is not None
    assert abs(database.size_bytes - row[0]) < 100_000
