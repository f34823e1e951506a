"""A compiled query answers as the queryset does that it was made from."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from apps.common.compiled import CompiledSelect
from apps.workspaces.models import Membership, Workspace

pytestmark = pytest.mark.django_db


def test_rows_are_the_same_with_what_is_joined(workspace: Any, user: Any, django_assert_num_queries: Any) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(config={"a": [1]})
    rows = Membership.objects.select_related("workspace", "role", "user").order_by()
    compiled = CompiledSelect(lambda slug, who: rows.filter(workspace__slug=slug, user_id=who), slug=str, who=UUID)
    compiled.first(slug="", who=user.pk)
    with django_assert_num_queries(1):
        found = compiled.first(slug=workspace.slug, who=user.pk)
        assert found is not None
        assert (found.workspace.config, found.user.email, found.role.code) == ({"a": [1]}, user.email, "owner")
    expected = rows.get(workspace=workspace, user=user)
    assert found == expected
    for made, known in ((found, expected), (found.workspace, expected.workspace), (found.role, expected.role)):
        assert {k: v for k, v in vars(made).items() if k != "_state"} == {
            k: v for k, v in vars(known).items() if k != "_state"
        }
        assert (made._state.db, made._state.adding) == (known._state.db, known._state.adding)


def test_nothing_found_is_none(workspace: Any, user: Any) -> None:
    compiled = CompiledSelect(lambda slug: Workspace.objects.filter(slug=slug), slug=str)
    assert compiled.first(slug="' OR 1=1 --") is None
    assert compiled.first(slug=workspace.slug) == workspace


def test_a_value_that_is_no_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="name"):
        CompiledSelect(lambda name: Workspace.objects.all(), name=str).first(name="x")
