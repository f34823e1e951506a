"""Databases of workspaces for tests: real ones, on the suite's cluster, dropped at the end of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from apps.accounts.tests.factories import UserFactory
from apps.databases.tests.factories import add_suite_server, dropping_databases, provision
from apps.workspaces.tests.factories import create_test_workspace
from config.storage_urls import backup_storage


@pytest.fixture
def database_server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The suite's cluster as a server for workspaces' databases; what the test makes on it is dropped.

    With ``committed_database`` its row is there for other processes too, else ``db`` holds it.
    """
    request.getfixturevalue("committed_database" if "committed_database" in request.fixturenames else "db")
    with dropping_databases():
        yield add_suite_server()


@pytest.fixture
def backup_folder(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A storage of backups of the test's own: its folder."""
    settings.BACKUP_SCRATCH_FOLDER = str(tmp_path / "proofs")
    storage = backup_storage("", folder=str(tmp_path / "backups"))
    with override_settings(STORAGES={**settings.STORAGES, "backups": storage}):
        yield tmp_path / "backups"


@pytest.fixture
def make_database(database_server: Any) -> Callable[..., Any]:
    """``make_database(workspace=…, limit_bytes=…)`` really makes a ready database, of a new workspace unless told."""

    def make(workspace: Any = None, **fields: Any) -> Any:
        return provision(workspace or create_test_workspace(owner=UserFactory()), **fields)

    return make
