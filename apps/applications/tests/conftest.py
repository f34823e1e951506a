"""Callers and addresses for the tests of apps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.common.tenancy import enter
from apps.workspaces.tests.factories import add_member


@pytest.fixture
def inside(workspace: Any) -> Iterator[Any]:
    """The workspace, entered."""
    with enter(workspace):
        yield workspace


@pytest.fixture
def base(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}"


@pytest.fixture
def as_role(make_user: Any, make_client: Any, workspace: Any) -> Callable[[str], APIClient]:
    """``as_role("viewer")`` is a client of a member with that built-in role."""

    def join(code: str) -> APIClient:
        person = make_user()
        add_member(workspace, person, code)
        client: APIClient = make_client(person)
        return client

    return join
