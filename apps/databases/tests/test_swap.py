"""The swap of two databases on a real server: what clients meet, and every state that a death can leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings

from apps.databases.clients.swap import Swap, end_sessions, exchange, fence, is_swapped, lift_fence
from apps.databases.errors import FenceLifted, SessionsRemain, SwapImpossible
from config.testing.processes import wait_for

Server = psycopg.Connection[Any]


def address(name: str) -> str:
    """Where the suite's server has the database ``name``, as its superuser."""
    options = settings.DATABASES["default"]
    return psycopg.conninfo.make_conninfo(
        host=options.get("HOST") or None,
        port=options.get("PORT") or None,
        user=options["USER"],
        password=options.get("PASSWORD") or None,
        dbname=name,
    )


def run(name: str, *statements: str) -> None:
    """Run statements in the database, as the superuser."""
    with psycopg.connect(address(name), autocommit=True) as inside:
        for statement in statements:
            inside.execute(statement)  # type: ignore[call-overload]


def ask(name: str, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query finds in the database."""
    with psycopg.connect(address(name)) as inside:
        return inside.execute(query).fetchall()  # type: ignore[call-overload]


@pytest.fixture
def server() -> Iterator[Server]:
    with psycopg.connect(address("postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def swap(server: Server) -> Iterator[Swap]:
    """Two databases, each with a table ``who`` that tells which one it is, and the name to be kept under."""
    stem = f"swap_{uuid4().hex}"
    swap = Swap(live=stem, fresh=f"{stem}_n", kept=f"{stem}_k")
    for name, who in ((swap.live, "old"), (swap.fresh, "new")):
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        with psycopg.connect(address(name)) as inside:
            inside.execute("CREATE TABLE who AS SELECT %s AS name", [who])
    yield swap
    for name in (swap.live, swap.fresh, swap.kept):
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def who(name: str) -> str:
    with psycopg.connect(address(name)) as inside:
        row = inside.execute("SELECT name FROM who").fetchone()
        assert row is not None
        return str(row[0])


def run_swap(server: Server, swap: Swap) -> None:
    fence(server, swap)
    end_sessions(server, [swap.live, swap.fresh], seconds=5)
    exchange(server, swap, connection_limit=7, seconds=5)


def test_clients_meet_the_new_one_under_the_old_name(server: Server, swap: Swap) -> None:
    with psycopg.connect(address(swap.live)) as session:
        session.execute("SELECT 1")
        run_swap(server, swap)
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            session.execute("SELECT 1")
    assert who(swap.live) == "new"
    assert is_swapped(server, swap)
    row = server.execute("SELECT datconnlimit FROM pg_database WHERE datname = %s", [swap.live]).fetchone()
    assert row == (7,)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
        who(swap.kept)
    assert lift_fence(server, swap.kept)
    assert who(swap.kept) == "old"


def test_fault_60_what_was_committed_before_the_fence_is_in_the_kept_one(server: Server, swap: Swap) -> None:
    """Writers write for as long as they are let: each commit that was confirmed is in exactly the one kept, or came
    after the swap and is in the new one."""
    with psycopg.connect(address(swap.live), autocommit=True) as inside:
        inside.execute("CREATE TABLE note (n bigint PRIMARY KEY)")
    with psycopg.connect(address(swap.fresh), autocommit=True) as inside:
        inside.execute("CREATE TABLE note (n bigint PRIMARY KEY)")
    confirmed: list[list[int]] = [[], [], []]
    stop = threading.Event()

    def write(mine: list[int], first: int) -> None:
        n = first
        while not stop.is_set():
            try:
                with psycopg.connect(address(swap.live), autocommit=True) as session:
                    while not stop.is_set():
                        session.execute("INSERT INTO note VALUES (%s)", [n])
                        mine.append(n)
                        n += 1
            except psycopg.OperationalError:
                n += 1  # perhaps committed, not confirmed
                time.sleep(0.002)

    threads = [threading.Thread(target=write, args=(confirmed[i], i * 10_000_000)) for i in range(3)]
    for thread in threads:
        thread.start()
    assert wait_for(lambda: all(confirmed))
    run_swap(server, swap)
    before = [len(mine) for mine in confirmed]
    # The first may have been confirmed by the old one, and noted only now.
    went_on = wait_for(lambda: all(len(mine) > count + 1 for mine, count in zip(confirmed, before, strict=True)))
    stop.set()
    for thread in threads:
        thread.join()
    assert went_on
    lift_fence(server, swap.kept)
    found = {}
    for name in (swap.kept, swap.live):
        with psycopg.connect(address(name)) as inside:
            found[name] = {row[0] for row in inside.execute("SELECT n FROM note")}
    assert {n for mine in confirmed for n in mine} <= found[swap.kept] | found[swap.live]
    assert not found[swap.kept] & found[swap.live]
    for mine in confirmed:
        assert any(n in found[swap.live] for n in mine), "writers went on in the new one"


def test_live_is_out_for_a_moment_only(server: Server, swap: Swap) -> None:
    """Somebody who connects all the time gets in again; the time is the benchmark's business, the order is ours."""
    seen: list[list[str]] = [[], [], [], []]
    stop = threading.Event()

    def connect(mine: list[str]) -> None:
        while not stop.is_set():
            try:
                mine.append(who(swap.live))
            except psycopg.OperationalError:
                mine.append("out")

    threads = [threading.Thread(target=connect, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    assert wait_for(lambda: all(seen))
    run_swap(server, swap)
    assert wait_for(lambda: all(mine[-1] == "new" for mine in seen))
    stop.set()
    for thread in threads:
        thread.join()
    assert {mine[0] for mine in seen} == {"old"}
    assert {mine[-1] for mine in seen} == {"new"}


def _die(script: str, swap: Swap) -> None:
    """Run a script in a process of its own that ends by SIGKILL; ``server`` and ``swap`` are there."""
    start = (
        "import os, signal, psycopg\n"
        "from apps.databases.clients.swap import *\n"
        f"server = psycopg.connect({address('postgres')!r}, autocommit=True)\n"
        f"swap = Swap({swap.live!r}, {swap.fresh!r}, {swap.kept!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{start}{script}\nos.kill(os.getpid(), signal.SIGKILL)"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


DEATHS = {
    "behind the fence": "fence(server, swap)",
    "behind the end of the sessions": "fence(server, swap)\nend_sessions(server, [swap.live], seconds=5)",
    "between the renames": (
        "fence(server, swap)\nend_sessions(server, [swap.live], seconds=5)\n"
        "server.execute('BEGIN')\nserver.execute(f'ALTER DATABASE {swap.live} RENAME TO {swap.kept}')"
    ),
    "before the commit": (
        "fence(server, swap)\nend_sessions(server, [swap.live], seconds=5)\n"
        "server.execute('BEGIN')\nserver.execute(f'ALTER DATABASE {swap.live} RENAME TO {swap.kept}')\n"
        "server.execute(f'ALTER DATABASE {swap.fresh} RENAME TO {swap.live}')"
    ),
}


@pytest.mark.parametrize("death", DEATHS)
def test_fault_59_killed_mid_swap_the_old_one_serves_and_a_repeat_finishes(
    server: Server, swap: Swap, death: str
) -> None:
    _die(DEATHS[death], swap)
    assert wait_for(lambda: not is_swapped(server, swap))
    # Should nobody repeat it: the fence is lifted, and the old one serves.
    wait_for(lambda: _is_unlocked(server, swap), seconds=5)
    assert lift_fence(server, swap.live)
    assert who(swap.live) == "old"
    run_swap(server, swap)
    assert who(swap.live) == "new"


def _is_unlocked(server: Server, swap: Swap) -> bool:
    """Whether the server has noticed that the dead one's transaction is over."""
    query = (
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.objid "
        "WHERE l.classid = 'pg_database'::regclass AND d.datname = %s AND l.mode = 'AccessExclusiveLock'"
    )
    return server.execute(query, [swap.live]).fetchone() == (0,)


def test_fault_59_killed_behind_the_swap_a_repeat_finds_it_done(server: Server, swap: Swap) -> None:
    _die("fence(server, swap)\nexchange(server, swap, connection_limit=-1, seconds=5)", swap)
    assert is_swapped(server, swap)
    assert who(swap.live) == "new"


LATE: dict[str, Callable[[Server, Swap], None]] = {
    "fence": fence,
    "exchange": lambda server, swap: exchange(server, swap, connection_limit=-1, seconds=1),
}


@pytest.mark.parametrize("late", LATE)
def test_late_worker_changes_nothing_behind_the_swap(server: Server, swap: Swap, late: str) -> None:
    run_swap(server, swap)
    with pytest.raises(SwapImpossible):
        LATE[late](server, swap)
    assert who(swap.live) == "new"


@pytest.mark.parametrize("late", LATE)
def test_late_worker_changes_nothing_when_the_new_one_was_dropped(server: Server, swap: Swap, late: str) -> None:
    fence(server, swap)
    server.execute(f'DROP DATABASE "{swap.fresh}"')
    with pytest.raises(SwapImpossible):
        LATE[late](server, swap)
    lift_fence(server, swap.live)
    assert who(swap.live) == "old"


def test_lifted_fence_forbids_the_swap(server: Server, swap: Swap) -> None:
    fence(server, swap)
    assert lift_fence(server, swap.live)
    assert not lift_fence(server, swap.live)
    with pytest.raises(FenceLifted):
        exchange(server, swap, connection_limit=-1, seconds=1)
    assert who(swap.live) == "old"


def test_session_in_the_way_leaves_all_as_it_was(server: Server, swap: Swap, monkeypatch: Any) -> None:
    with psycopg.connect(address(swap.live)) as session:
        session.execute("SELECT 1")
        fence(server, swap)
        monkeypatch.setattr("apps.databases.clients.swap.end_sessions", lambda *_args, **_options: 0)
        with pytest.raises(SessionsRemain):
            exchange(server, swap, connection_limit=-1, seconds=0.5)
        session.execute("SELECT 1")
    assert not is_swapped(server, swap)
    lift_fence(server, swap.live)
    assert who(swap.live) == "old"
