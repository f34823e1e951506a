"""Connections that are kept: bounded, replaced when they die, clean for the next one, not shared with children."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection as platform_connection

from apps.databases.clients.pool import ConnectionPool, PoolKey
from apps.databases.errors import TooManyQueries, WorkspaceDatabaseUnavailable


@pytest.fixture
def connect(db: None) -> Callable[[], psycopg.Connection[Any]]:
    params = platform_connection.get_connection_params()
    wanted = {name: params[name] for name in ("host", "port", "user", "password", "dbname") if params.get(name)}
    return lambda: psycopg.connect(**wanted, autocommit=True)


@pytest.fixture
def pool() -> Iterator[ConnectionPool]:
    made = ConnectionPool(max_kept=2, max_used=2, max_age=60)
    yield made
    made.close()


def _prepare(connection: psycopg.Connection[Any]) -> None:
    connection.execute("BEGIN")


def _pid(pool: ConnectionPool, key: PoolKey, connect: Any) -> int:
    with pool.connection(key, connect=connect, prepare=_prepare) as connection:
        return connection.info.backend_pid


def test_a_connection_is_kept_and_forgets_everything(pool: ConnectionPool, connect: Any) -> None:
    key = PoolKey(uuid4(), 1)
    with pool.connection(key, connect=connect, prepare=_prepare) as first:
        first.execute("SELECT set_config('app.secret', 'mine', false), pg_advisory_lock(4711)")
        first.execute("CREATE TEMP TABLE left_behind (id int)")
        first.execute("COMMIT")
        pid = first.info.backend_pid
    with pool.connection(key, connect=connect, prepare=_prepare) as second:
        assert second.info.backend_pid == pid
        left = second.execute(
            "SELECT coalesce(current_setting('app.secret', true), ''), to_regclass('left_behind'),"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
        ).fetchone()
    assert left == ("", None, 0)


def test_a_transaction_that_was_left_open_or_broken_is_undone(pool: ConnectionPool, connect: Any) -> None:
    key = PoolKey(uuid4(), 1)
    with (
        pytest.raises(psycopg.errors.DivisionByZero),
        pool.connection(key, connect=connect, prepare=_prepare) as broken,
    ):
        broken.execute("SELECT 1/0")
    assert pool.kept() == 1
    _pid(pool, key, connect)


def test_a_connection_that_died_is_replaced(pool: ConnectionPool, connect: Any) -> None:
    key = PoolKey(uuid4(), 1)
    pid = _pid(pool, key, connect)
    with connect() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert _pid(pool, key, connect) != pid


def test_at_most_so_many_are_kept_and_the_least_used_go(pool: ConnectionPool, connect: Any) -> None:
    keys = [PoolKey(uuid4(), 1) for _ in range(3)]
    for key in keys:
        _pid(pool, key, connect)
    assert [pool.kept(key.database) for key in keys] == [0, 1, 1]


def test_a_new_secret_closes_what_the_old_one_opened(pool: ConnectionPool, connect: Any) -> None:
    database = uuid4()
    pid = _pid(pool, PoolKey(database, 1), connect)
    assert _pid(pool, PoolKey(database, 2), connect) != pid
    assert pool.kept(database) == 1


def test_at_most_so_many_of_one_database_are_used(pool: ConnectionPool, connect: Any) -> None:
    key, other = PoolKey(uuid4(), 1), PoolKey(uuid4(), 1)
    with (
        pool.connection(key, connect=connect, prepare=_prepare),
        pool.connection(key, connect=connect, prepare=_prepare),
    ):
        with pytest.raises(TooManyQueries):
            _pid(pool, key, connect)
        _pid(pool, other, connect)
    _pid(pool, key, connect)


def test_what_was_idle_for_long_is_closed(connect: Any) -> None:
    now = [0.0]
    pool = ConnectionPool(max_kept=2, max_used=2, max_age=60, clock=lambda: now[0])
    _pid(pool, PoolKey(uuid4(), 1), connect)
    now[0] = 59
    pool.close_old()
    assert pool.kept() == 1
    now[0] = 60
    pool.close_old()
    assert pool.kept() == 0


def test_a_forked_child_leaves_the_parents_connections_alone(pool: ConnectionPool, connect: Any) -> None:
    key = PoolKey(uuid4(), 1)
    pid = _pid(pool, key, connect)
    child = os.fork()
    if child == 0:
        os._exit(0 if pool.kept() == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert _pid(pool, key, connect) == pid


def test_a_database_that_does_not_answer_is_unavailable(pool: ConnectionPool, connect: Any) -> None:
    def fail(connection: psycopg.Connection[Any]) -> None:
        raise psycopg.OperationalError("gone")

    with (
        pytest.raises(WorkspaceDatabaseUnavailable),
        pool.connection(PoolKey(uuid4(), 1), connect=connect, prepare=fail),
    ):
        pass
