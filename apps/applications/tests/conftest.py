"""Callers and addresses for the tests of apps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.common.tenancy import enter
from apps.workspaces.models import Membership, Role


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
        role = Role.objects.get(workspace=None, code=code)
        Membership.objects.create(workspace=workspace, user=person, role=role, joined_at=timezone.now())
        client: APIClient = make_client(person)
        return client

    return join
