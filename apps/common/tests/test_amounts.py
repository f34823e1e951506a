"""Amounts as people read and write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.amounts import describe_amount, parse_amount, write_amount


@pytest.mark.parametrize(
    ("amount", "unit", "shown"),
    [
        (0, "byte", "0 B"),
        (1023, "byte", "1,023 B"),
        (512 * 1024**2, "byte", "512 MiB"),
        (1536 * 1024**2, "byte", "1.5 GiB"),
        (-2 * 1024**3, "byte", "-2 GiB"),
        (59, "second", "59 s"),
        (36_000, "second", "10 h"),
        (2_000_000, "request", "2,000,000"),
        (1, "app", "1"),
    ],
)
def test_shown_in_the_largest_unit(amount: int, unit: str, shown: str) -> None:
    assert describe_amount(amount, unit) == shown


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("20 GiB", "byte", 20 * 1024**3),
        ("1.5gib", "byte", 1536 * 1024**2),
        ("1024", "byte", 1024),
        ("2 h", "second", 7200),
        ("10,000", "request", 10_000),
        ("5 apps", "app", 5),
    ],
)
def test_read_as_written(text: str, unit: str, amount: int) -> None:
    assert parse_amount(text, unit) == amount


@pytest.mark.parametrize(
    ("text", "unit"), [("", "byte"), ("-1", "app"), ("1 GB", "byte"), ("1.5", "app"), ("9" * 30, "byte"), ("٣x", "app")]
)
def test_what_is_no_amount_is_refused_with_a_sentence(text: str, unit: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_amount(text, unit)


@given(amount=st.integers(0, 2**63 - 1), unit=st.sampled_from(["byte", "second", "request"]))
def test_what_is_written_is_read_again(amount: int, unit: str) -> None:
    assert parse_amount(write_amount(amount, unit), unit) == amount
