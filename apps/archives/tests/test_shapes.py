"""Which tables and columns an archive has."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, migrations
from hypothesis import given
from hypothesis import strategies as st

from apps.archives.states import EXPORT_TRANSITIONS, IMPORT_TRANSITIONS, ExportStatus, ImportStatus
from apps.common import archiving
from apps.common.row_copies import decode_array, decode_row
from apps.common.schema_migration import UnknownMigrations, present_release
from apps.common.schema_shapes import shape_at
from apps.secrets.services.fields import sealed_fields
from apps.workspaces.tests.next_release import add_note, next_release

_TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=20)
_SECRET = re.compile(r"password|secret|token|sealed|private|credential|_hash$")


def tenant_models() -> list[Any]:
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in labels and model._meta.managed and not model._meta.proxy
    ]


def test_no_table_of_a_workspace_is_left_out() -> None:
    shape = shape_at(present_release().order)
    found = {table.name: set(table.columns) for table in shape.tables}
    expected = {model._meta.db_table: {f.column for f in model._meta.concrete_fields} for model in tenant_models()}
    assert found == expected


@pytest.mark.django_db
def test_the_shape_is_what_stands_in_a_schema(workspace: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
            [workspace.schema_name],
        )
        there: dict[str, set[str]] = {}
        for table, column in cursor.fetchall():
            there.setdefault(table, set()).add(column)
    there.pop("django_migrations")
    assert {table.name: set(table.columns) for table in shape_at(present_release().order).tables} == there


def test_rows_can_be_put_in_one_order_everywhere() -> None:
    """Keys are UUIDs: texts would be ordered by the server's language, numbers would clash."""
    for model in tenant_models():
        assert model._meta.pk.get_internal_type() == "UUIDField", model


def test_whatever_sounds_like_a_secret_was_thought_about() -> None:
    sealed = {(apps.get_model(field.model)._meta.db_table, field.column) for field in sealed_fields()}
    for model in tenant_models():
        for field in model._meta.concrete_fields:
            place = (model._meta.db_table, field.column)
            if _SECRET.search(field.column) or place in sealed:
                assert field.column in archiving.left_out_of(place[0]), place


def test_what_is_left_out_is_there() -> None:
    tables = {table.name: table.columns for table in shape_at(present_release().order).tables}
    for table, columns in archiving._left_out.items():
        assert set(columns) <= set(tables[table])
    assert set(archiving._checks) <= set(tables)


def test_migrations_that_are_unknown_or_lack_others() -> None:
    with pytest.raises(UnknownMigrations, match="of_tomorrow"):
        shape_at([*present_release().order, ("audit", "0999_of_tomorrow")])
    release = next_release(add_note(), [migrations.RemoveField("auditevent", "note")])
    lacking = [key for key in release.order if key[1] != "0002_next_0"]
    with pytest.raises(UnknownMigrations, match="without"):
        shape_at(lacking, release=release)


@pytest.mark.django_db
@given(st.lists(st.one_of(st.none(), _TEXT), min_size=1, max_size=4))
def test_rows_are_read_as_they_were_written(values: list[str | None]) -> None:
    columns = [f"c{number}" for number in range(len(values))]
    marks = ", ".join(["%s::text"] * len(values))
    with connection.cursor() as cursor, cursor.copy(f"COPY (SELECT {marks}) TO STDOUT", values) as copy:
        line = b"".join(bytes(piece) for piece in copy)
    assert decode_row(line[:-1], columns) == dict(zip(columns, values, strict=True))


@pytest.mark.django_db
@given(st.lists(_TEXT, max_size=4))
def test_arrays_are_read_as_they_were_written(values: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]::text", [values])
        assert decode_array(cursor.fetchone()[0]) == values


@pytest.mark.parametrize("text", ["", "{", "x", "{NULL}", "{{a}}", '{"a}', "{a,}", "{a b\\}"])
def test_what_is_no_array(text: str) -> None:
    with pytest.raises(ValueError):
        decode_array(text)


def test_the_tables_of_states_are_total() -> None:
    assert set(EXPORT_TRANSITIONS.table) == set(ExportStatus)
    assert set(IMPORT_TRANSITIONS.table) == set(ImportStatus)
