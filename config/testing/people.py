"""People, workspaces and clients for tests; made by the services that users reach, not by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.tests.factories import UserFactory
from apps.workspaces.tests.factories import create_test_workspace


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    """``make_user(email="…")`` makes a person who can sign in with the password ``correct horse 42``."""
    return UserFactory


@pytest.fixture
def user(make_user: Callable[..., Any]) -> Any:
    return make_user()


@pytest.fixture
def make_workspace(db: None) -> Callable[..., Any]:
    """``make_workspace(owner=user)`` makes an active workspace with its blank app."""
    return create_test_workspace


@pytest.fixture
def workspace(make_workspace: Callable[..., Any], user: Any) -> Any:
    """A workspace that ``user`` owns."""
    return make_workspace(owner=user)


@pytest.fixture
def make_client() -> Callable[..., APIClient]:
    """``make_client(user)`` is an API client that is signed in as that person."""

    def make(person: Any = None) -> APIClient:
        client = APIClient()
        if person is not None:
            client.force_authenticate(person)
        return client

    return make


@pytest.fixture
def api(make_client: Callable[..., APIClient], user: Any) -> APIClient:
    """A client signed in as ``user``."""
    return make_client(user)
