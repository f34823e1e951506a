"""Bringing schemas of workspaces from one release's migrations to the next one's.

One schema is migrated in earnest, by Django's own operations, while every statement is recorded; schemas that stand at
the same point get the recorded script, in one transaction each. A migration that runs Python, or that can't be in a
transaction, is carried out in earnest for every schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from apps.common.schema_ddl import fingerprint_of, record_of, run_script, tenant_app_labels
from apps.common.tenancy import SchemaRef, enter

#: app label and name of a migration.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Release:
    """The migrations that this program has for workspaces, in the order in which they are applied."""

    loader: MigrationLoader
    order: tuple[Key, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The way of a schema from ``source`` to ``target``, which are fingerprints."""

    source: str
    target: str
    migrations: tuple[Migration, ...]
    state: ProjectState = field(repr=False)
    #: Whether the statements of one schema can be replayed in another.
    is_replayable: bool
    #: Whether all of it can be one transaction.
    is_atomic: bool

    @property
    def names(self) -> list[str]:
        return [f"{migration.app_label}.{migration.name}" for migration in self.migrations]


class UnknownMigrations(RuntimeError):
    """A schema has migrations that this program doesn't: a newer release made it."""


def make_release(loader: MigrationLoader) -> Release:
    """The release that ``loader`` has read."""
    labels = tenant_app_labels()
    order = tuple(key for key in _full_order(loader) if key[0] in labels)
    return Release(loader=loader, order=order, fingerprint=fingerprint_of(order))


@lru_cache(maxsize=1)
def present_release() -> Release:
    """The release that this process runs; read once, without a query."""
    return make_release(MigrationLoader(None))


def applied_migrations(schema_name: str) -> frozenset[Key]:
    """The migrations that a schema has, by its own record."""
    with enter(SchemaRef(schema_name)), connection.cursor() as cursor:
        # The schema is named: without a table of its own, it would be the public one's that answers.
        cursor.execute(f'SELECT app, name FROM "{schema_name}".django_migrations')  # noqa: S608 - names are ours
        labels = tenant_app_labels()
        return frozenset((app, name) for app, name in cursor.fetchall() if app in labels)


def plan_upgrade(release: Release, applied: frozenset[Key]) -> Upgrade:
    """How a schema with the ``applied`` migrations gets to ``release``. Raises UnknownMigrations."""
    unknown = applied - set(release.order)
    if unknown:
        raise UnknownMigrations(", ".join(f"{app}.{name}" for app, name in sorted(unknown)))
    graph = release.loader.graph
    missing = {key for key in release.order if key not in applied}
    state = ProjectState(real_apps=release.loader.unmigrated_apps)
    for key in _full_order(release.loader):
        if key not in missing:
            graph.nodes[key].mutate_state(state, preserve=False)
    migrations = tuple(graph.nodes[key] for key in release.order if key in missing)
    return Upgrade(
        source=fingerprint_of(applied),
        target=release.fingerprint,
        migrations=migrations,
        state=state,
        is_replayable=all(operation.reduces_to_sql for migration in migrations for operation in migration.operations),
        is_atomic=all(migration.atomic for migration in migrations),
    )


def migrate_in_earnest(upgrade: Upgrade, schema_name: str) -> str:
    """Carry the missing migrations out in one schema; returns the statements that did it, as one script.

    In the caller's transaction, unless a migration must not be in one: then outside of any.
    """
    with enter(SchemaRef(schema_name)), _recording() as statements:
        state = upgrade.state.clone()
        for migration in upgrade.migrations:
            with connection.schema_editor(atomic=False) as editor:
                state = migration.apply(state, editor)
            record = record_of([(migration.app_label, migration.name)])
            statements.append(record)
            run_script(record, schema_name=schema_name)
    return "\n".join(statements)


def replay(script: str, schema_name: str) -> None:
    """Repeat in another schema what was recorded in one, in the caller's transaction."""
    run_script(script, schema_name=schema_name)


def _full_order(loader: MigrationLoader) -> list[Key]:
    """Every migration of the project, each behind those it depends on."""
    seen: dict[Key, None] = {}
    for target in sorted(loader.graph.leaf_nodes()):
        for key in loader.graph.forwards_plan(target):
            seen.setdefault(key)
    return list(seen)


@contextmanager
def _recording() -> Iterator[list[str]]:
    """Have every statement of this connection's schema editors written down while it is carried out."""
    statements: list[str] = []
    present: type[Any] = connection.SchemaEditorClass

    class RecordingEditor(present):
        def execute(self, sql: Any, params: Any = ()) -> None:
            text = str(sql) if params is None else cast(Any, self.connection.ops).compose_sql(str(sql), params)
            if isinstance(text, bytes):
                text = text.decode()
            statements.append(text.rstrip().rstrip(";") + ";")
            super().execute(text, None)

    cast(Any, connection).SchemaEditorClass = RecordingEditor
    try:
        yield statements
    finally:
        cast(Any, connection).SchemaEditorClass = present
