"""The tests' own kind, as any other."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.operations.services.requests import request_operation
from apps.operations.tests import probe  # noqa: F401 - registers the kind
from config.testing.scenarios import Point, Scenario, scenario_of


@scenario_of("probe.work")
class Work(Scenario):
    points = (Point("second", "noted", "apps.operations.tests.probe._note", behind=True),)

    def ask(self) -> Any:
        return request_operation(kind="probe.work", target_id=uuid4(), actor=SYSTEM, now=timezone.now())

    def check_done(self, operation: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT step FROM probe_effect WHERE operation = %s", [operation.pk])
            assert {row[0] for row in cursor.fetchall()} == {"first", "second", "third"}
