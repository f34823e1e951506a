"""A workspace's rows stay in it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.common.errors import WrongWorkspace
from apps.common.tenancy import current_schema, enter
from apps.workflows.models import Workflow


@pytest.fixture
def two(make_workspace: Any, make_user: Any) -> tuple[Any, Any]:
    return make_workspace(owner=make_user()), make_workspace(owner=make_user())


def _event() -> AuditEvent:
    return AuditEvent.objects.create(at=timezone.now(), actor_kind="system", action="a", target_kind="t")


def test_fault_04_lazy_queryset_of_another_workspace_is_refused(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        _event()
        lazy = AuditEvent.objects.filter(action="a")
        assert lazy.count() == 1
        lazy = lazy.all()
    with enter(second), pytest.raises(WrongWorkspace):
        list(lazy)


def test_fault_04_row_of_another_workspace_is_refused(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        row = Workflow.objects.create(slug="a", name="A", definition={})
    for act in (row.save, row.delete, row.refresh_from_db, lambda: Workflow.objects.bulk_create([row])):
        with enter(second), pytest.raises(WrongWorkspace):
            act()


def test_leaving_restores_what_was_entered_before(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        with pytest.raises(RuntimeError), enter(second):
            raise RuntimeError
        assert current_schema() == first.schema_name
    assert current_schema() == "public"
