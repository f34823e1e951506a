"""What stands in a workspace's schema at a given set of migrations: its tables and their columns, and how to make it.

Read from the state of the migrations, not from the server: listing tables there means scanning a catalogue that holds
those of all workspaces. The release's own set is only one case, so a schema of an older release is understood too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.db import models
from django.db.migrations.state import ProjectState

from apps.common.schema_ddl import SchemaTemplate, create_schema_from, render_template, tenant_app_labels
from apps.common.schema_migration import Key, Release, UnknownMigrations, present_release


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table: its columns in order, and those of its primary key.

    What PostgreSQL would keep in some columns and no program of ours writes is told by the rest: ``moments`` are points
    in time, ``objects`` are JSON objects, ``choices`` hold one of these texts.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    moments: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaShape:
    """The tables of a schema, by name."""

    migrations: frozenset[Key]
    tables: tuple[TableShape, ...]


def shape_at(migrations: Iterable[Key], *, release: Release | None = None) -> SchemaShape:
    """The shape of a schema that has these migrations.

    Raises UnknownMigrations when this program doesn't know one of them, or when one lacks another that it needs.
    """
    return _shape(frozenset(migrations), release or present_release())


def create_schema_at(schema_name: str, migrations: Iterable[Key], *, release: Release | None = None) -> str:
    """Make the schema as it was with these migrations, in one transaction; returns its fingerprint."""
    return create_schema_from(_template(frozenset(migrations), release or present_release()), schema_name)


@lru_cache(maxsize=8)
def _shape(migrations: frozenset[Key], release: Release) -> SchemaShape:
    tables = [
        _table(model)
        for model in _state(migrations, release).apps.get_models(include_auto_created=True)
        if _has_table(model)
    ]
    return SchemaShape(migrations, tuple(sorted(tables, key=lambda table: table.name)))


@lru_cache(maxsize=4)
def _template(migrations: frozenset[Key], release: Release) -> SchemaTemplate:
    return render_template(_state(migrations, release), sorted(migrations))


def _state(migrations: frozenset[Key], release: Release) -> ProjectState:
    known = set(release.order)
    unknown = migrations - known
    if unknown:
        raise UnknownMigrations(", ".join(f"{app}.{name}" for app, name in sorted(unknown)))
    graph = release.loader.graph
    for key in migrations:
        missing = {need for need in graph.forwards_plan(key) if need in known} - migrations
        if missing:
            raise UnknownMigrations(
                f"{key[0]}.{key[1]} without {', '.join('.'.join(need) for need in sorted(missing))}"
            )
    state = ProjectState(real_apps=release.loader.unmigrated_apps)
    done: set[Key] = set()
    for target in sorted(graph.leaf_nodes()):
        for key in graph.forwards_plan(target):
            if key not in done and (key in migrations or key not in known):
                graph.nodes[key].mutate_state(state, preserve=False)
            done.add(key)
    return state


def _has_table(model: type[models.Model]) -> bool:
    options = model._meta
    return options.app_label in tenant_app_labels() and options.managed and not options.proxy


def _table(model: type[models.Model]) -> TableShape:
    fields = model._meta.concrete_fields
    return TableShape(
        model._meta.db_table,
        columns=tuple(str(field.column) for field in fields),
        key=tuple(str(field.column) for field in fields if field.primary_key),
        moments=tuple(str(field.column) for field in fields if isinstance(field, models.DateTimeField)),
        objects=tuple(
            str(field.column) for field in fields if isinstance(field, models.JSONField) and field.default is dict
        ),
        choices=tuple(
            (str(field.column), (*(str(value) for value, _ in field.flatchoices), *([""] if field.blank else [])))
            for field in fields
            if field.choices
        ),
    )
