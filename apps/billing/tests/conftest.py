"""Workspaces with limits of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.billing.models import Quota
from apps.billing.services.quotas import find_quota
from apps.common.tenancy import enter, enter_public


@pytest.fixture
def entered(workspace: Any) -> Iterator[Any]:
    """The workspace, entered."""
    with enter(workspace):
        yield workspace


@pytest.fixture
def limit(entered: Any) -> Callable[..., Quota]:
    """Sets the limits of a quota of the entered workspace; returns it."""

    def set_limit(
        dimension: str, hard: int | None, *, soft: int | None = None, overage: bool = False, used: int = 0
    ) -> Quota:
        quota = find_quota(workspace=entered, dimension=dimension, now=timezone.now())
        Quota.objects.filter(pk=quota.pk).update(hard_limit=hard, soft_limit=soft, overage_allowed=overage, used=used)
        return Quota.objects.get(pk=quota.pk)

    return set_limit


@pytest.fixture
def staying(entered: Any) -> Callable[[APIClient], APIClient]:
    """``staying(client)``: the test is still in the workspace after each of its requests, which leave it."""

    def stay(client: APIClient) -> APIClient:
        send = client.request

        def request(**details: Any) -> Any:
            with enter_public():
                return send(**details)

        client.request = request  # type: ignore[method-assign]
        return client

    return stay
