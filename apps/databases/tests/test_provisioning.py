"""Making a database: what stands on the server afterwards, and what happens when a worker dies in between."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from apps.databases.tests.factories import connect_as_login


def test_login_gets_in_and_may_change_rows_only(make_database: Any) -> None:
    database = make_database()
    with connect_as_login(database) as client:
        assert client.execute("SHOW search_path").fetchone() == ("app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("CREATE TABLE mine (i int)")
