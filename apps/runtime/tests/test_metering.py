"""What visitors use is counted, and above the limit they are told so kindly."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.billing.models import AppUsage, Quota
from apps.billing.services.metering import meter
from apps.billing.services.quotas import find_quota
from apps.common.ids import new_id
from apps.common.tenancy import enter
from apps.runtime.models import RuntimeEvent
from apps.runtime.services.recording import recorder
from apps.runtime.tests.factories import publish_app
from apps.runtime.tests.test_actions import post_form, post_json, url_of
from apps.runtime.tests.test_preview import preview_of
from apps.runtime.tests.test_short_way import get
from apps.workflows.models import Run

pytestmark = pytest.mark.django_db

REQUESTS, RUNS, SECONDS = "runtime.requests", "workflow.runs", "workflow.seconds"
SUM = {"action": "add", "inputs": {"a": 1, "b": 2}}


def limit(workspace: Any, dimension: str, hard: int | None) -> None:
    with enter(workspace):
        quota = find_quota(workspace=workspace, dimension=dimension, now=timezone.now())
        Quota.objects.filter(pk=quota.pk).update(hard_limit=hard)
    meter.forget()


def used(workspace: Any) -> tuple[int, int, int]:
    """Requests, runs and seconds."""
    meter.close()
    with enter(workspace):
        amounts = dict(Quota.objects.values_list("dimension", "used"))
    return amounts[REQUESTS], amounts[RUNS], amounts[SECONDS]


def test_pages_schemas_and_actions_count_one_each_for_their_app(workspace: Any, client: Client) -> None:
    app = publish_app(workspace)
    url = url_of(workspace)
    assert client.get(url).status_code == 200
    assert get(url)[0] == "200 OK"
    assert client.get(f"{url}/schema").status_code == 200
    assert used(workspace) == (3, 0, 0)
    assert post_json(client, url, SUM).status_code == 200
    assert used(workspace) == (4, 1, 1)
    with enter(workspace):
        hours = AppUsage.objects.filter(bucket="hour", dimension=REQUESTS)
        assert dict(hours.values_list("app_id", "amount")) == {app.id: 4}


def test_refusals_doors_results_and_previews_count_nothing(workspace: Any, client: Client) -> None:
    publish_app(workspace, audience="password", password="open sesame")
    url = url_of(workspace)
    assert client.get(url).status_code == 401
    assert client.get(f"/runtime/{workspace.slug}/nothing").status_code == 404
    assert post_json(client, url, {"password": "open sesame"}).status_code == 200
    assert post_json(client, url, {"action": "nothing"}).status_code == 404
    assert post_json(client, url, {"action": "add", "inputs": {"a": "x"}}).status_code == 422
    assert client.get(f"{url}/runs/{new_id()}", headers={"Accept": "application/json"}).status_code == 404
    preview = preview_of(workspace, now=timezone.now())
    assert client.get(preview).status_code == 200
    assert post_json(client, preview, SUM).status_code == 200
    assert used(workspace) == (0, 0, 0)


def test_above_the_limit_people_are_told_when_it_is_back_and_no_numbers(workspace: Any, client: Client) -> None:
    app = publish_app(workspace)
    limit(workspace, REQUESTS, 1234)
    with enter(workspace):
        Quota.objects.filter(dimension=REQUESTS).update(used=1234)
    url = url_of(workspace)
    assert get(url)[0] == "long"
    answer = client.get(url)
    assert answer.status_code == 402
    html = answer.content.decode()
    assert "taking a break" in html
    assert "It is back on " in html
    assert "1,234" not in html
    assert "1234" not in html
    assert "Content-Security-Policy" in answer.headers
    problem = client.get(f"{url}/schema")
    assert problem.headers["Content-Type"] == "application/problem+json"
    body = problem.json()
    assert (problem.status_code, body["code"]) == (402, "quota_exceeded")
    assert body["resets_at"].endswith("Z")
    assert "limit" not in body
    recorder.flush()
    with enter(workspace):
        assert set(RuntimeEvent.objects.of_app(app.id).values_list("kind", "status")) == {("denied", 402)}


def test_members_learn_how_much_of_what_was_used(workspace: Any, user: Any, client: Client) -> None:
    publish_app(workspace)
    limit(workspace, REQUESTS, 0)
    url = url_of(workspace)
    stranger = Client()
    assert "Only members" not in stranger.get(url).content.decode()
    client.force_login(user)
    html = client.get(url).content.decode()
    assert "Only members of the workspace see this: App requests: 0 of 0 are used" in html
    assert client.get(f"{url}/schema").json()["dimension"] == REQUESTS


def test_a_form_keeps_what_was_typed_when_the_runs_are_used_up(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    limit(workspace, RUNS, 1)
    url = url_of(workspace)
    assert post_form(client, url).status_code == 303
    for headers in ({}, {"HX-Request": "true"}):
        answer = post_form(client, url, a="77.5", headers=headers)
        assert answer.status_code == 402
        html = answer.content.decode()
        assert 'value="77.5"' in html
        assert "its allowance is spent for now" in html
    refused = post_json(client, url, SUM)
    assert (refused.status_code, refused.json()["code"]) == (402, "quota_exceeded")
    with enter(workspace):
        assert Run.objects.count() == 1
    requests, runs, seconds = used(workspace)
    assert (runs, seconds) == (1, 1)
    assert requests == 4, "three pages with the form, and the one action that ran"


def test_without_a_second_left_nothing_runs(workspace: Any, client: Client) -> None:
    publish_app(workspace)
    limit(workspace, SECONDS, 1)
    url = url_of(workspace)
    assert post_json(client, url, SUM).status_code == 200
    assert post_json(client, url, SUM).status_code == 402
    assert used(workspace) == (1, 1, 1)


def test_other_workspaces_go_on(workspace: Any, make_workspace: Any, make_user: Any, client: Client) -> None:
    other = make_workspace(owner=make_user())
    publish_app(workspace)
    publish_app(other)
    limit(workspace, REQUESTS, 0)
    assert client.get(url_of(workspace)).status_code == 402
    assert client.get(url_of(other)).status_code == 200
    assert used(other) == (1, 0, 0)


def test_the_first_of_many_pages_asks_the_database_and_the_others_dont(
    workspace: Any, client: Client, django_assert_num_queries: Any
) -> None:
    publish_app(workspace)
    url = url_of(workspace)
    get(url)
    get(url)
    with django_assert_num_queries(0):
        assert get(url)[0] == "200 OK"
