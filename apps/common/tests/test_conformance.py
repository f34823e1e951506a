"""The API against its own description: whatever is sent, no fault of ours, and nothing that isn't described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.access.services.keys import create_key
from apps.accounts.tests.factories import act_as
from apps.common.permissions import resolver

_EXAMPLES = 3
_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def key(user: Any, workspace: Any) -> str:
    """A key that may do whatever its owner may."""
    actor = act_as(user)
    grant = resolver().grant_for(actor, workspace.slug)
    assert grant is not None
    made = create_key(workspace=workspace, name="All", scopes=grant.codes, actor=actor, grant=grant, now=timezone.now())
    return made.presented


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """The entry point would close the connection of the test's transaction, like at the start of any request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("kept_connection")
def test_every_operation_answers_as_described(key: str, workspace: Any) -> None:
    description = schemathesis.openapi.from_wsgi("/api/v1/schema", get_wsgi_application())
    wrong: list[str] = []
    count = 0
    for found in description.get_all_operations():
        count += 1
        wrong += _try(found.ok(), key, workspace.slug)
    assert count > 50
    assert not wrong, f"{len(wrong)} answers aren't as described:\n" + "\n\n".join(wrong)


def _try(operation: Any, key: str, workspace: str) -> list[str]:
    """What is wrong with the answers of one operation, one entry each."""

    @seed(20250101)
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        if "workspace" in case.path_parameters:
            case.path_parameters["workspace"] = workspace
        if "app" in case.path_parameters:
            case.path_parameters["app"] = "home"
        with transaction.atomic():
            try:
                response = case.call(headers={"Authorization": f"Api-Key {key}", "Accept-Encoding": "identity"})
                case.validate_response(response, checks=_CHECKS)
            finally:
                transaction.set_rollback(True)

    try:
        run()
    except (FailureGroup, Unsatisfiable) as error:
        return [f"{operation.label}: {type(error).__name__}: {str(error)[:1500]}"]
    return []
