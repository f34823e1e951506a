"""What is served while PostgreSQL is away: public pages that were public when it was last asked, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from apps.applications.models import AccessPolicy, App
from apps.common.tenancy import enter
from apps.runtime.errors import DatabaseDown
from apps.runtime.services import resolution
from apps.runtime.services.resolution import Resolver
from apps.runtime.tests.factories import publish_app

pytestmark = pytest.mark.django_db


@pytest.fixture
def go_away(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``go_away()``: from now on PostgreSQL doesn't answer."""

    def refuse(_: str) -> Any:
        raise OperationalError("the server closed the connection unexpectedly")

    return lambda: monkeypatch.setattr(resolution, "find_visited_workspace", refuse)


def test_fault_62_a_new_process_serves_what_was_public(workspace: Any, go_away: Any) -> None:
    publish_app(workspace)
    Resolver().resolve(workspace.slug, "adder")
    go_away()
    assert Resolver().resolve(workspace.slug, "adder").stale


@pytest.mark.parametrize("status", ["unpublished", "archived"])
@pytest.mark.parametrize("knows", [True, False])
def test_fault_62_what_was_taken_back_is_not_served(workspace: Any, go_away: Any, status: str, knows: bool) -> None:
    publish_app(workspace)
    resolver = Resolver()
    resolver.resolve(workspace.slug, "adder")
    with enter(workspace):
        App.objects.filter(slug="adder").update(status=status)
    resolver.expire()
    with pytest.raises(Exception, match="app"):
        resolver.resolve(workspace.slug, "adder")
    resolver.expire()
    go_away()
    with pytest.raises(DatabaseDown):
        (resolver if knows else Resolver()).resolve(workspace.slug, "adder")


def test_fault_62_what_was_closed_to_strangers_is_not_served(workspace: Any, go_away: Any) -> None:
    publish_app(workspace)
    resolver = Resolver()
    resolver.resolve(workspace.slug, "adder")
    with enter(workspace):
        AccessPolicy.objects.filter(app__slug="adder").update(audience="members", revision=2)
    resolver.expire()
    resolver.resolve(workspace.slug, "adder")
    go_away()
    with pytest.raises(DatabaseDown):
        Resolver().resolve(workspace.slug, "adder")
