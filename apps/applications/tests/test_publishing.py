"""Publishing, rolling back, and what never changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from apps.accounts.tests.factories import UserFactory
from apps.applications.errors import (
    DefinitionRefused,
    MayNotExpose,
    NeverChanges,
    NothingToRollBackTo,
    NotLive,
    VersionNotFound,
)
from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.applications.selectors import find_visited_app, read_definition
from apps.applications.services import lifecycle
from apps.applications.services.drafts import save_draft
from apps.applications.services.publish_plan import contribute_to_plan, plan_publish
from apps.applications.services.publishing import publish, roll_back
from apps.applications.services.versions import make_version
from apps.applications.states import APP_TRANSITIONS, AppStatus
from apps.applications.tests.factories import NOW, make_app, make_definition
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM
from apps.common.canonical_json import digest
from apps.common.errors import IllegalTransition
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.workflows.models import Workflow
from apps.workspaces.tests.factories import create_test_workspace


def act(service: Callable[..., Any], app: App, workspace: Any, **more: Any) -> Any:
    if service is publish:
        more.setdefault("may_expose", True)
    return service(app_id=app.pk, workspace=workspace, actor=SYSTEM, now=NOW, **more)


def history(app: App) -> list[tuple[int, str, int]]:
    releases = Release.objects.filter(app=app).select_related("version").order_by("sequence")
    return [(release.sequence, release.kind, release.version.number) for release in releases]


@pytest.mark.django_db
def test_publishing_makes_the_draft_the_next_version_and_the_pointer_follows(inside: Any) -> None:
    app = make_app(inside)
    first = act(publish, app, inside, note="first")
    act(save_draft, app, inside, definition=make_definition("Two"), expected={"1"})
    act(publish, app, inside)
    visited = find_visited_app("doubler")
    assert visited is not None
    assert (visited.status, visited.version) == ("published", 2)
    assert read_definition(visited.version_id)["page"]["title"] == "Two"
    assert history(app) == [(1, "publish", 1), (2, "publish", 2)]
    assert first.version.digest == digest(make_definition())
    assert first.version.note == "first"


@pytest.mark.django_db
def test_rolling_back_adds_a_release_of_an_older_version(inside: Any) -> None:
    app = make_app(inside, published=True)
    act(publish, app, inside)
    act(roll_back, app, inside, version=1)
    act(roll_back, app, inside, release=2)
    act(roll_back, app, inside)
    assert history(app) == [
        (1, "publish", 1),
        (2, "publish", 2),
        (3, "rollback", 1),
        (4, "rollback", 2),
        (5, "rollback", 1),
    ]


@pytest.mark.django_db
def test_what_can_not_be_rolled_back_to(inside: Any) -> None:
    app = make_app(inside)
    with pytest.raises(NotLive):
        act(roll_back, app, inside, version=1)
    act(publish, app, inside)
    act(make_version, app, inside)
    with pytest.raises(NothingToRollBackTo):
        act(roll_back, app, inside)
    with pytest.raises(NothingToRollBackTo, match="is the one that is live"):
        act(roll_back, app, inside, version=1)
    with pytest.raises(NothingToRollBackTo, match="was never live"):
        act(roll_back, app, inside, version=2)
    with pytest.raises(VersionNotFound):
        act(roll_back, app, inside, version=3)
    with pytest.raises(VersionNotFound):
        act(roll_back, app, inside, release=9)
    assert history(app) == [(1, "publish", 1)]


@pytest.mark.django_db
def test_a_version_keeps_the_workflow_that_it_names_as_it_was(inside: Any) -> None:
    workflow = Workflow.objects.create(slug="twice", name="Twice", definition={"steps": [], "outputs": {"twice": 2}})
    definition = make_definition()
    definition["actions"]["double"] = {"workflow": {"ref": "twice"}}
    app = make_app(inside, definition=definition)
    version = act(make_version, app, inside)
    Workflow.objects.filter(pk=workflow.pk).update(definition={"steps": [], "outputs": {"twice": 99}}, revision=2)
    assert version.definition["workflows"]["twice"] == {
        "revision": 1,
        "definition": {"steps": [], "outputs": {"twice": 2}},
    }
    again = act(make_version, app, inside)
    assert again.definition["workflows"]["twice"]["revision"] == 2
    assert again.digest != version.digest

    Workflow.objects.filter(pk=workflow.pk).delete()
    with pytest.raises(DefinitionRefused) as refused:
        act(publish, app, inside)
    assert [error.code for error in refused.value.errors] == ["unknown_workflow"]
    assert AppVersion.objects.filter(app=app).count() == 2


@pytest.mark.django_db
def test_versions_and_releases_are_written_once(inside: Any) -> None:
    app = make_app(inside, published=True)
    version, release = AppVersion.objects.get(app=app), Release.objects.get(app=app)
    version.note = release.note = "changed"
    for row in (version, release):
        with pytest.raises(NeverChanges):
            row.save()
        with pytest.raises(NeverChanges):
            row.delete()
        rows = type(row).objects.filter(pk=row.pk)
        for change in (
            lambda rows=rows: rows.update(note="changed"),
            lambda rows=rows: rows.delete(),
            lambda rows=rows, row=row: rows.bulk_update([row], ["note"]),
        ):
            with pytest.raises(NeverChanges):
                change()
        row.refresh_from_db()
        assert row.note == ""


def test_the_states_are_those_of_the_design() -> None:
    arrows = {(str(a), str(b)) for a in AppStatus for b in AppStatus if APP_TRANSITIONS.allows(a, b)}
    assert arrows == {
        ("draft", "published"),
        ("published", "unpublished"),
        ("published", "deprecated"),
        ("deprecated", "published"),
        ("deprecated", "unpublished"),
        ("unpublished", "published"),
        *((str(state), "archived") for state in AppStatus if state != AppStatus.ARCHIVED),
        ("archived", "draft"),
        ("archived", "unpublished"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["draft", "published", "deprecated", "unpublished", "archived"])
def test_each_act_is_allowed_where_its_arrow_begins(inside: Any, status: str) -> None:
    leads = {
        lifecycle.unpublish: {"published": "unpublished", "deprecated": "unpublished"},
        lifecycle.deprecate: {"published": "deprecated"},
        lifecycle.undeprecate: {"deprecated": "published"},
        lifecycle.archive: dict.fromkeys(("draft", "published", "deprecated", "unpublished"), "archived"),
        lifecycle.unarchive: {"archived": "unpublished"},
        publish: dict.fromkeys(("draft", "published", "unpublished"), "published") | {"deprecated": "deprecated"},
    }
    for number, (service, targets) in enumerate(leads.items()):
        app = make_app(inside, slug=f"app-{number}", published=status != "draft")
        way = {"deprecated": lifecycle.deprecate, "unpublished": lifecycle.unpublish, "archived": lifecycle.archive}
        if status in way:
            act(way[status], app, inside)
        if status in targets:
            act(service, app, inside)
            app.refresh_from_db()
            assert app.status == targets[status]
        else:
            with pytest.raises(IllegalTransition):
                act(service, app, inside)


@pytest.mark.django_db
def test_an_app_that_was_never_published_comes_back_as_a_draft(inside: Any) -> None:
    app = make_app(inside)
    act(lifecycle.archive, app, inside)
    assert act(lifecycle.unarchive, app, inside).status == "draft"


@pytest.mark.django_db
def test_going_live_for_strangers_needs_the_right_to_and_a_new_version_does_not(inside: Any) -> None:
    app = make_app(inside)
    AccessPolicy.objects.filter(app=app).update(audience="public")
    assert plan_publish(app_id=app.pk, workspace_id=inside.id).needs_expose
    with pytest.raises(MayNotExpose):
        act(publish, app, inside, may_expose=False)
    act(publish, app, inside)
    assert not plan_publish(app_id=app.pk, workspace_id=inside.id).needs_expose
    act(publish, app, inside, may_expose=False)
    assert history(app) == [(1, "publish", 1), (2, "publish", 2)]


@pytest.mark.django_db
def test_a_plan_tells_what_would_happen_and_does_nothing(inside: Any) -> None:
    app = make_app(inside)
    contribute_to_plan("test_plan", lambda app_id: [str(app_id)])
    act(publish, app, inside)
    AccessPolicy.objects.filter(app=app).update(audience="public")
    changed = make_definition("Two")
    changed["page"]["blocks"].append({"kind": "heading", "text": "More"})
    changed["page"]["blocks"].append({"kind": "form", "action": "triple"})
    changed["actions"]["triple"] = {"workflow": {"steps": [], "outputs": {"x": 1}}}
    act(save_draft, app, inside, definition=changed, expected=None)
    before = AuditEvent.objects.count(), Event.objects.count()

    plan = plan_publish(app_id=app.pk, workspace_id=inside.id)

    assert (plan.version, plan.live_version, plan.new_version, plan.anonymous) == (2, 1, True, True)
    assert plan.newly_executable == ["triple"]
    assert plan.newly_readable == ["block: form “triple”", "block: heading “More”", "page: Two", "result: triple"]
    assert "Action triple added" in plan.difference.summary
    assert plan.touched["test_plan"] == [str(app.pk)]
    assert (AuditEvent.objects.count(), Event.objects.count()) == before
    assert AppVersion.objects.filter(app=app).count() == 1


@pytest.mark.django_db
def test_members_only_apps_open_nothing_to_strangers(inside: Any) -> None:
    plan = plan_publish(app_id=make_app(inside).pk, workspace_id=inside.id)
    assert (plan.anonymous, plan.newly_readable, plan.newly_executable) == (False, [], [])


@pytest.mark.django_db
def test_every_act_is_audited_and_told_in_its_transaction(inside: Any) -> None:
    app = make_app(inside)
    for service in (publish, publish, roll_back, lifecycle.deprecate, lifecycle.undeprecate, lifecycle.unpublish):
        act(service, app, inside)
    act(lifecycle.archive, app, inside)
    act(lifecycle.unarchive, app, inside)
    told = Event.objects.filter(workspace_id=inside.pk).order_by("id").values_list("type", flat=True)
    audited = AuditEvent.objects.filter(target_id=str(app.pk)).order_by("id").values_list("action", flat=True)
    assert [kind for kind in told if kind.startswith("app.")] == [
        "app.created",
        "app.version_created",
        "app.published",
        "app.version_created",
        "app.published",
        "app.rolled_back",
        "app.deprecated",
        "app.undeprecated",
        "app.unpublished",
        "app.archived",
        "app.unarchived",
    ]
    assert list(audited) == [
        "app.create",
        "app.version.create",
        "app.publish",
        "app.version.create",
        "app.publish",
        "app.rollback",
        "app.deprecate",
        "app.undeprecate",
        "app.unpublish",
        "app.archive",
        "app.unarchive",
    ]


def test_fault_23_publishes_and_rollbacks_at_once_make_one_order(committed_database: str) -> None:
    workspace = create_test_workspace(owner=UserFactory(), slug="together")
    with enter(workspace):
        app = make_app(workspace, published=True)
        act(save_draft, app, workspace, definition=make_definition("Two"), expected=None)
        act(publish, app, workspace)
    start = threading.Barrier(7)
    faults: list[Exception] = []
    seen: set[tuple[int | None, str]] = set()
    over = threading.Event()

    def run(service: Callable[..., Any], **more: Any) -> None:
        try:
            start.wait()
            with enter(workspace):
                act(service, app, workspace, **more)
        except NothingToRollBackTo:
            pass  # another one had rolled back to the same version just before
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    def watch() -> None:
        start.wait()
        with enter(workspace):
            while not over.is_set():
                visited = find_visited_app("doubler")
                assert visited is not None
                seen.add((visited.version, read_definition(visited.version_id)["page"]["title"]))
        connection.close()

    acts = [(publish, {}), (publish, {}), (publish, {}), (roll_back, {"version": 1}), (roll_back, {"version": 2})]
    threads = [threading.Thread(target=run, args=(service,), kwargs=more) for service, more in acts]
    watcher = threading.Thread(target=watch)
    for thread in [*threads, watcher]:
        thread.start()
    start.wait()
    for thread in threads:
        thread.join()
    over.set()
    watcher.join()

    assert faults == []
    with enter(workspace):
        releases = history(app)
        assert [sequence for sequence, _, _ in releases] == list(range(1, len(releases) + 1))
        published = [version for _, kind, version in releases if kind == "publish"]
        assert published == [1, 2, 3, 4, 5]
        visited = find_visited_app("doubler")
        assert visited is not None
        assert visited.version == releases[-1][2]
        titles = dict(AppVersion.objects.filter(app=app).values_list("number", "definition__page__title"))
        assert all(titles[version] == title for version, title in seen)
    assert seen
