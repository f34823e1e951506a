"""The backend: the search path travels with the statement, and is right after whatever went wrong."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.tenancy import enter


def _path() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])


def _round_trips(work: Any) -> list[str]:
    """The messages that ``work`` sends to the server, each with all its statements, as libpq's own trace shows them."""
    server = connection.connection.pgconn
    with tempfile.TemporaryFile("w+") as trace:
        server.trace(trace.fileno())
        try:
            work()
        finally:
            server.untrace()
        trace.seek(0)
        return [line for line in trace.read().splitlines() if "\tQuery\t" in line]


@pytest.mark.django_db
def test_entering_costs_no_round_trip_of_its_own(workspace: Any) -> None:
    assert _path() in {"public", '"public"'}

    def visit() -> None:
        with enter(workspace):
            assert AuditEvent.objects.filter(action="none").count() == 0

    sent = _round_trips(visit)
    assert len(sent) == 1
    assert "SET search_path" in sent[0]
    assert "SELECT COUNT" in sent[0]


@pytest.mark.django_db
def test_entering_without_a_query_sends_nothing(workspace: Any) -> None:
    _path()

    def visit() -> None:
        with enter(workspace):
            pass

    assert _round_trips(visit) == []


@pytest.mark.django_db
def test_path_follows_the_schema(workspace: Any) -> None:
    with enter(workspace):
        assert workspace.schema_name in _path()
    assert workspace.schema_name not in _path()
    with connection.cursor() as kept:
        with enter(workspace):
            kept.execute("SELECT current_setting('search_path')")
            assert workspace.schema_name in kept.fetchone()[0]
        kept.execute("SELECT current_setting('search_path')")
        assert workspace.schema_name not in kept.fetchone()[0]


@pytest.mark.django_db
def test_fault_03_path_is_right_after_an_error_in_a_savepoint(workspace: Any) -> None:
    with enter(workspace):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")
        assert workspace.schema_name in _path()
    assert workspace.schema_name not in _path()


def test_fault_03_path_is_right_after_an_error_and_a_rollback(committed_database: str) -> None:
    from apps.workspaces.models import SchemaSlot

    slot = SchemaSlot.objects.all()[0]
    with enter(slot), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")
    assert slot.schema_name not in _path()
    with enter(slot):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            AuditEvent.objects.filter(action="none").count()
            raise ZeroDivisionError
        assert slot.schema_name in _path()
    assert slot.schema_name not in _path()


def test_what_refuses_a_transaction_gets_the_path_before(committed_database: str) -> None:
    from apps.workspaces.models import SchemaSlot

    slot = SchemaSlot.objects.all()[0]
    with enter(slot), connection.cursor() as cursor:
        cursor.execute("VACUUM audit_auditevent")
        cursor.execute("SELECT current_setting('search_path')")
        assert slot.schema_name in cursor.fetchone()[0]


@pytest.mark.django_db
def test_cursors_on_the_server_and_many_rows_find_the_schema(workspace: Any) -> None:
    from django.utils import timezone

    with enter(workspace):
        rows = [
            AuditEvent(at=timezone.now(), actor_kind="system", action=f"a{number}", target_kind="t")
            for number in range(3)
        ]
        AuditEvent.objects.bulk_create(rows)
        assert sum(1 for _ in AuditEvent.objects.filter(target_kind="t").iterator(chunk_size=2)) == 3
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE audit_auditevent SET action = %s WHERE id = %s", [("b", row.pk) for row in rows])
        assert AuditEvent.objects.filter(action="b").count() == 3
    assert AuditEvent.objects.filter(action="b").count() == 0
