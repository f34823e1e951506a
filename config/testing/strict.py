"""A pytest plugin: with `--strict-skips`, or CI=true in the environment, a skipped test is a failed one.

Some tests need a program that not every machine has, and are skipped without it. Where everything is installed on
purpose, a skip means that something isn't tested any more. An expected failure (xfail) is not a skip.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

OPTION = "--strict-skips"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption(OPTION, action="store_true", help="a skipped test is a failed one (also: CI=true)")


def is_strict(config: pytest.Config) -> bool:
    """Whether skips count as failures in this run."""
    return bool(config.getoption(OPTION)) or os.environ.get("CI", "").lower() in {"true", "1"}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns the report of a skipped test."""
    report = yield
    if is_strict(item.config) and report.skipped and not hasattr(report, "wasxfail"):
        turn_into_failure(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turns the report of a module that skips itself as a whole."""
    report = yield
    if is_strict(collector.config) and report.skipped:
        turn_into_failure(report)
    return report


def turn_into_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Makes the report a failure that tells the skip's reason."""
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    report.outcome = "failed"
    report.longrepr = f"{reason} (a skip counts as a failure here)"
