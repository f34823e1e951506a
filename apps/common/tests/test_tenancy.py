"""A workspace's rows stay in it, whatever way a query takes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Prefetch, prefetch_related_objects
from django.utils import timezone

from apps.applications.models import AccessPolicy, App
from apps.common.errors import WrongWorkspace
from apps.common.tenancy import current_schema, enter, enter_public
from apps.workflows.models import Run, StepRun


@pytest.fixture
def two(make_workspace: Any, make_user: Any) -> tuple[Any, Any]:
    return make_workspace(owner=make_user()), make_workspace(owner=make_user())


def make_app(slug: str = "probe") -> App:
    app: App = App.objects.create(slug=slug, name=slug, draft={})
    return app


#: Every way in which a queryset that was made in one workspace can reach the database.
EVALUATIONS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "len": len,
    "bool": bool,
    "slice": lambda rows: list(rows[:1]),
    "index": lambda rows: rows[0],
    "all": lambda rows: list(rows.all()),
    "chained": lambda rows: list(rows.filter(name="x").order_by("slug")),
    "get": lambda rows: rows.get(slug="probe"),
    "first": lambda rows: rows.first(),
    "last": lambda rows: rows.last(),
    "latest": lambda rows: rows.latest("created_at"),
    "count": lambda rows: rows.count(),
    "exists": lambda rows: rows.exists(),
    "contains": lambda rows: rows.contains(App(slug="x", name="x", draft={})),
    "iterator": lambda rows: list(rows.iterator(chunk_size=10)),
    "values": lambda rows: list(rows.values("slug")),
    "values_list": lambda rows: list(rows.values_list("slug", flat=True)),
    "values_list iterator": lambda rows: list(rows.values_list("slug").iterator()),
    "dates": lambda rows: list(rows.datetimes("created_at", "day")),
    "distinct": lambda rows: list(rows.distinct()),
    "aggregate": lambda rows: rows.aggregate(Count("pk")),
    "annotate": lambda rows: list(rows.annotate(n=Count("pk"))),
    "in_bulk": lambda rows: rows.in_bulk(),
    "explain": lambda rows: rows.explain(),
    "union": lambda rows: list(rows.union(rows)),
    "defer": lambda rows: list(rows.defer("name")),
    "select_related": lambda rows: list(rows.select_related("current_release")),
    "prefetch_related": lambda rows: list(rows.prefetch_related("current_release")),
    "select_for_update": lambda rows: list(rows.select_for_update()),
    "create": lambda rows: rows.create(slug="made", name="x", draft={}),
    "get_or_create": lambda rows: rows.get_or_create(slug="made", defaults={"name": "x", "draft": {}}),
    "update_or_create": lambda rows: rows.update_or_create(slug="made", defaults={"name": "x", "draft": {}}),
    "bulk_create": lambda rows: rows.bulk_create([App(slug="made", name="x", draft={})]),
    "update": lambda rows: rows.update(name="x"),
    "delete": lambda rows: rows.delete(),
    "raw delete": lambda rows: rows._raw_delete(rows.db),
    "raw": lambda rows: list(rows.raw("SELECT * FROM applications_app")),
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("way", EVALUATIONS)
def test_fault_04_query_of_another_workspace_is_refused(two: tuple[Any, Any], way: str) -> None:
    first, second = two
    with enter(first):
        make_app()
        rows = App.objects.all()
    for elsewhere in (enter(second), enter_public()):
        with elsewhere, pytest.raises(WrongWorkspace):
            EVALUATIONS[way](rows)
    with enter(second):
        assert App.objects.count() == 1, "only the app that it was born with"


@pytest.mark.parametrize("way", [way for way in EVALUATIONS if way not in {"contains", "latest", "pickle"}])
def test_the_same_query_works_at_home(two: tuple[Any, Any], way: str) -> None:
    """Else the test above would prove nothing."""
    with enter(two[0]), transaction.atomic():
        make_app()
        EVALUATIONS[way](App.objects.filter(slug="probe"))


ACTS: dict[str, Callable[[Any], Any]] = {
    "save": lambda row: row.save(),
    "save fields": lambda row: row.save(update_fields=["name"]),
    "save as new": lambda row: row.save(force_insert=True),
    "delete": lambda row: row.delete(),
    "refresh": lambda row: row.refresh_from_db(),
    "deferred field": lambda row: App.objects.none() or row.description,
    "bulk_create": lambda row: App.objects.bulk_create([row]),
    "bulk_update": lambda row: App.objects.bulk_update([row], ["name"]),
    "foreign key assigned": lambda row: AccessPolicy(app=row).save(),
}


def make_run() -> Run:
    run: Run = Run.objects.create(trigger=Run.Trigger.API, created_at=timezone.now())
    run.step_runs.create(step="a", position=0, status="succeeded")
    return run


#: What hangs on a row.
RELATED: dict[str, Callable[[Any], Any]] = {
    "all": lambda run: list(run.step_runs.all()),
    "filter": lambda run: list(run.step_runs.filter(step="a")),
    "count": lambda run: run.step_runs.count(),
    "exists": lambda run: run.step_runs.exists(),
    "create": lambda run: run.step_runs.create(step="b", position=1, status="succeeded"),
    "get_or_create": lambda run: run.step_runs.get_or_create(step="b", position=1, status="succeeded"),
    "bulk_create": lambda run: run.step_runs.bulk_create([StepRun(run=run, step="b", position=1, status="succeeded")]),
    "update": lambda run: run.step_runs.update(step="c"),
    "delete": lambda run: run.step_runs.all().delete(),
    "add": lambda run: run.step_runs.add(StepRun(step="b", position=1, status="succeeded"), bulk=False),
    "prefetch_related_objects": lambda run: prefetch_related_objects([run], "step_runs"),
}


@pytest.mark.parametrize("way", RELATED)
def test_fault_04_related_rows_of_another_workspaces_row_are_refused(two: tuple[Any, Any], way: str) -> None:
    first, second = two
    with enter(first):
        run = make_run()
    with enter(second), pytest.raises(WrongWorkspace), transaction.atomic():
        RELATED[way](run)
    with enter(first):
        RELATED[way](run)


@pytest.mark.parametrize("act", ACTS)
def test_fault_04_row_of_another_workspace_is_refused(two: tuple[Any, Any], act: str) -> None:
    first, second = two
    with enter(first):
        make_app()
        row = App.objects.defer("description").get(slug="probe")
    with enter(second), pytest.raises(WrongWorkspace):
        ACTS[act](row)


def test_fault_04_foreign_key_forward(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        policy = AccessPolicy.objects.filter(app__slug="home").first()
        assert policy is not None
    with enter(second), pytest.raises(WrongWorkspace):
        assert policy.app


def test_fault_04_prefetch_with_a_queryset_of_another_workspace(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        steps = StepRun.objects.all()
    with enter(second):
        make_run()
        with pytest.raises(WrongWorkspace):
            list(Run.objects.prefetch_related(Prefetch("step_runs", queryset=steps)))


def test_fault_04_subquery_of_another_workspace(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        policies = AccessPolicy.objects.values("app")
    with enter(second), pytest.raises(WrongWorkspace):
        list(App.objects.filter(pk__in=policies))


def test_fault_04_pickled_row_and_query_remember_their_workspace(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        row = pickle.loads(pickle.dumps(make_app()))
        lazy = App.objects.filter(slug="probe")
        fetched = pickle.loads(pickle.dumps(lazy))
    with enter(second):
        with pytest.raises(WrongWorkspace):
            row.save()
        with pytest.raises(WrongWorkspace):
            list(fetched.all())


def test_fault_04_half_read_iterator_stops_at_the_border(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        make_app()
        rows = App.objects.iterator(chunk_size=1)
        next(rows)
    with enter(second), pytest.raises(WrongWorkspace):
        next(rows)


def test_rows_that_were_read_can_be_looked_at_anywhere(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        rows = App.objects.filter(slug="home")
        assert [row.slug for row in rows] == ["home"]
    with enter(second):
        assert [row.slug for row in rows] == ["home"]


def test_fault_03_exception_inside_leaves_the_connection_where_it_was(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        with pytest.raises(RuntimeError), enter(second):
            App.objects.count()
            raise RuntimeError
        assert current_schema() == first.schema_name
        assert server_path() == first.schema_name
    assert current_schema() == "public"
    assert server_path() == "public"


def test_fault_03_broken_transaction_never_shows_another_workspace(two: tuple[Any, Any]) -> None:
    """A failed statement, rolled back to a savepoint, takes a SET of the path with it: it has to be set again."""
    first, second = two
    with enter(first):
        make_app("mine")
    for _ in range(2):
        with enter(first), pytest.raises(DatabaseError), transaction.atomic():
            App.objects.count()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
        with enter(second):
            assert server_path() == second.schema_name
            assert not App.objects.filter(slug="mine").exists()
        assert server_path() == "public"


def test_fault_03_entering_inside_a_savepoint_that_is_rolled_back(two: tuple[Any, Any]) -> None:
    first, second = two
    with enter(first):
        App.objects.count()
        with pytest.raises(RuntimeError), transaction.atomic(), enter(second):
            App.objects.count()
            raise RuntimeError
        assert server_path() == first.schema_name
        with pytest.raises(RuntimeError), transaction.atomic():
            with enter(second):
                App.objects.count()
            raise RuntimeError
        assert server_path() == first.schema_name


def test_fault_03_failure_right_after_entering_can_be_rolled_back(two: tuple[Any, Any]) -> None:
    """The path was to travel with the statement that failed; the rollback must get through without it."""
    first, second = two
    for place in (first, second):
        with enter(place), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nothing_here")
        assert server_path() == "public"
    with pytest.raises(DatabaseError), transaction.atomic(), enter(first):
        App.objects.raw("SELECT * FROM nothing_here")
    assert not connection.needs_rollback
    with enter(second):
        assert server_path() == second.schema_name


def test_fault_03_connection_that_was_lost_comes_back_in_the_right_place(
    committed_database: str, django_db_blocker: Any
) -> None:
    from apps.accounts.tests.factories import UserFactory
    from apps.workspaces.tests.factories import create_test_workspace

    with django_db_blocker.unblock():
        workspace = create_test_workspace(owner=UserFactory())
        with enter(workspace):
            assert server_path() == workspace.schema_name
            connection.close()
            assert server_path() == workspace.schema_name
        connection.close()
        assert server_path() == "public"
        connection.close()


def server_path() -> str:
    """The schema that the server itself looks into first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return str(cursor.fetchone()[0])
