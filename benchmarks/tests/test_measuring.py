"""What the figures rest on: the alternation, the table, the load generator."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from benchmarks.load import Request, UnexpectedAnswer, requests_per_second
from benchmarks.measure import alternate
from benchmarks.places import own_name
from benchmarks.report import Result, render


def test_sides_alternate_and_the_ratio_is_that_of_neighbours() -> None:
    order: list[str] = []
    ours, other = iter([2.0, 4.0, 40.0]), iter([1.0, 2.0, 10.0])

    def measure(side: str, figures: Iterator[float]) -> float:
        order.append(side)
        return next(figures)

    compared = alternate(lambda: measure("ours", ours), lambda: measure("other", other), rounds=3)
    assert order == ["ours", "other"] * 3
    assert (compared.ours, compared.reference, compared.ratio) == (4.0, 2.0, 2.0)


def test_table_says_what_falls_short() -> None:
    rows = [
        Result(bar="1", what="a", ours="1 ms", reference="2 ms", ratio=2.0, wanted="≥ 1", holds=True),
        Result(bar="2", what="b", ours="3 ms", reference="2 ms", ratio=1.5, wanted="≤ 1.3", holds=False),
    ]
    lines = render(rows, server_version="15.1").splitlines()
    assert "PostgreSQL 15.1" in lines[0]
    assert lines[-2].endswith("| holds |")
    assert lines[-1].endswith("| **falls short** |")


def test_two_runs_have_databases_of_their_own() -> None:
    elsewhere = "from benchmarks.places import own_name; print(own_name('api'))"
    other = subprocess.run([sys.executable, "-c", elsewhere], stdout=subprocess.PIPE, text=True, check=True)
    assert other.stdout.strip() != own_name("api") == own_name("api")


@pytest.fixture
def answering() -> Iterator[int]:
    """A server that answers every request with 200 and two bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while connection.recv(65536):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])


def test_load_counts_answers(answering: int) -> None:
    assert requests_per_second(Request(answering, "/"), connections=2, seconds=0.2) > 10


def test_load_refuses_to_count_errors(answering: int) -> None:
    with pytest.raises(UnexpectedAnswer):
        requests_per_second(Request(answering, "/"), status=404, connections=1, seconds=0.2)
