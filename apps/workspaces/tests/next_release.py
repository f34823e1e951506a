"""A release with migrations that this one doesn't have, for tests of the fleet migrator.

Run as a program (``python -m apps.workspaces.tests.next_release``) it migrates the fleet to that release, slowly.
"""

from __future__ import annotations

import os
from typing import Any

from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from apps.common.schema_migration import Release, make_release

_APP, _TABLE = "audit", "auditevent"


def add_note(*, seconds: float = 0) -> list[Any]:
    """Adds a column and an index, and takes its time."""
    operations: list[Any] = [
        migrations.AddField(_TABLE, "note", models.CharField(max_length=20, default="100 % new")),
        migrations.AddIndex(_TABLE, models.Index(fields=["note"], name="audit_by_note")),
    ]
    if seconds:
        operations.append(migrations.RunSQL(f"SELECT pg_sleep({seconds})"))
    return operations


def next_release(*steps: list[Any]) -> Release:
    """This release, and one more migration of the audit app for each list of operations."""
    loader = MigrationLoader(None)
    for number, operations in enumerate(steps):
        previous = max(key for key in loader.graph.nodes if key[0] == _APP)
        migration = type("Migration", (Migration,), {"operations": operations, "dependencies": [previous]})(
            f"{int(previous[1][:4]) + 1:04d}_next_{number}", _APP
        )
        key = (_APP, migration.name)
        loader.graph.add_node(key, migration)
        loader.graph.add_dependency(migration, key, previous)
        loader.disk_migrations[key] = migration
    return make_release(loader)


if __name__ == "__main__":
    import django

    django.setup()
    from apps.workspaces.services.fleet import migrate_fleet

    migrate_fleet(release=next_release(add_note(seconds=float(os.environ["SECONDS_EACH"]))))
