"""The rendered template is the schema that migrations make."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from apps.common.schema_ddl import create_schema, drop_schema, release_fingerprint, schema_template, tenant_app_labels
from apps.common.schema_migration import applied_migrations

_RENDERED, _EARNEST = "ws_rendered", "ws_in_earnest"

_CATALOG = {
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attgenerated, pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
          AND NOT a.attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, condeferrable, condeferred, convalidated,
               pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s",
    "sequences": """
        SELECT sequencename, data_type::text, start_value, increment_by, max_value
        FROM pg_sequences WHERE schemaname = %(schema)s""",
    "others": """
        SELECT relname, relkind FROM pg_class
        WHERE relnamespace = %(schema)s::regnamespace AND relkind NOT IN ('r', 'i', 'S', 't')""",
    "triggers": """
        SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = %(schema)s::regnamespace AND NOT tgisinternal""",
}


def describe(schema: str) -> dict[str, list[tuple[str, ...]]]:
    """What the server's catalog says of a schema, without its name."""
    description = {}
    with connection.cursor() as cursor:
        for what, query in _CATALOG.items():
            cursor.execute(query, {"schema": schema})
            description[what] = sorted(
                tuple(str(value).replace(schema, "SCHEMA") for value in row) for row in cursor.fetchall()
            )
    return description


def rows_in(schema: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        counts = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{schema}"."{table}"')
            counts[table] = cursor.fetchone()[0]
        return counts


@pytest.fixture
def both(committed_database: str, django_db_blocker: Any) -> Any:
    """One schema rendered, one migrated step by step by Django's executor."""
    with django_db_blocker.unblock():
        create_schema(_RENDERED)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {_EARNEST}")
        call_command("migrate_schemas", schema_name=_EARNEST, verbosity=0, interactive=False)
        yield
        connection.close()


@pytest.mark.usefixtures("both")
def test_rendered_schema_equals_one_migrated_in_earnest() -> None:
    rendered, earnest = describe(_RENDERED), describe(_EARNEST)
    for what in _CATALOG:
        assert rendered[what] == earnest[what], what
    assert len(rendered["columns"]) > 100
    assert len(rendered["indexes"]) > 20
    earnest_rows, rendered_rows = rows_in(_EARNEST), rows_in(_RENDERED)
    labels = tenant_app_labels()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {_EARNEST}.django_migrations WHERE app = ANY(%s)", [list(labels)])
        earnest_rows["django_migrations"] = cursor.fetchone()[0]
    assert rendered_rows == earnest_rows
    assert applied_migrations(_RENDERED) == applied_migrations(_EARNEST)


@pytest.mark.usefixtures("db")
def test_making_a_schema_again_replaces_what_an_interrupted_attempt_left() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {_RENDERED}; CREATE TABLE {_RENDERED}.left_over (id int)")
    assert create_schema(_RENDERED) == release_fingerprint() == schema_template().fingerprint
    assert "left_over" not in rows_in(_RENDERED)
    drop_schema(_RENDERED)
    drop_schema(_RENDERED)
    assert rows_in(_RENDERED) == {}


@pytest.mark.parametrize("name", ["public", "pg_catalog", 'ws_x"; DROP SCHEMA public', "ws_" + "A" * 32, ""])
def test_only_schemas_of_workspaces_can_be_made_or_dropped(name: str) -> None:
    for act in (create_schema, drop_schema):
        with pytest.raises(ValueError, match="not the name"):
            act(name)


@pytest.mark.usefixtures("both")
def test_tenant_tables_refer_only_to_their_schema_and_count_nothing() -> None:
    """Rules 1 and 2 for a distributed database: foreign keys stay within the schema, keys are UUIDs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = %(s)s::regnamespace"
            " AND confrelid IN (SELECT oid FROM pg_class WHERE relnamespace <> %(s)s::regnamespace)",
            {"s": _RENDERED},
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = %s", [_RENDERED])
        assert cursor.fetchall() == [("django_migrations_id_seq",)]
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE connamespace = %s::regnamespace", [_RENDERED])
        assert cursor.fetchone()[0] > 0


@pytest.mark.usefixtures("both")
def test_no_table_name_stands_in_both_schemas_except_audit() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s"
            " INTERSECT SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
            [_RENDERED],
        )
        assert {name for (name,) in cursor.fetchall()} == {"audit_auditevent", "django_migrations"}
