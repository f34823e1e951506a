"""Reporting, reserving and correcting over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.applications.models import App
from apps.audit.models import AuditEvent
from apps.billing.models import AppUsage, Quota, Reservation, UsageEvent
from apps.billing.services.leases import renew_lease
from apps.billing.services.levels import note_level
from apps.billing.services.reservations import reserve
from apps.workspaces.models import Workspace
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

TOKENS, REQUESTS = "ai.tokens", "runtime.requests"

Post = Callable[..., Any]


@pytest.fixture
def api(api: APIClient, staying: Any) -> APIClient:
    return staying(api)  # type: ignore[no-any-return]


@pytest.fixture
def post(api: APIClient, entered: Any) -> Post:
    """``post("consume", amount=3)`` posts as the owner, with what isn't said filled in."""
    count = iter(range(1000))

    def send(path: str, client: Any = api, **body: Any) -> Any:
        if path in {"consume", "reserve"}:
            body = {"dimension": TOKENS, "amount": 1, "idempotency_key": f"key-{next(count)}", **body}
        if path == "corrections":
            body = {"amount": 1, "idempotency_key": f"key-{next(count)}", "note": "Reported twice", **body}
        return client.post(f"/api/v1/billing/workspaces/{entered.slug}/{path}", body, format="json")

    return send


def quota(dimension: str = TOKENS) -> Quota:
    found: Quota = Quota.objects.get(dimension=dimension)
    return found


def fault_of(answer: Any) -> tuple[int, str, list[str]]:
    body = answer.json()
    return answer.status_code, body["code"], [error["pointer"] for error in body.get("errors", [])]


class TestConsume:
    def test_a_use_is_counted_and_answered_with_the_quota(self, post: Post, limit: Any) -> None:
        limit(TOKENS, 100, soft=50)
        with_app = post("consume", amount=60, app="home", unit="token", note="A long text")
        assert with_app.status_code == 200
        answer = with_app.json()
        assert (answer["used"], answer["hard_limit"], answer["over_soft_limit"]) == (60, 100, True)
        entry = UsageEvent.objects.get(pk=answer["id"])
        assert (entry.source, entry.note, entry.app_id) == ("api", "A long text", App.objects.get().pk)
        assert entry.actor.startswith("user:")

    def test_a_repeat_gets_the_first_answer_though_quota_and_app_are_gone(self, post: Post, limit: Any) -> None:
        limit(TOKENS, 10)
        first = post("consume", amount=10, idempotency_key="k", app="home")
        App.objects.update(slug="away")
        again = post("consume", amount=10, idempotency_key="k", app="home")
        assert (again.status_code, again.json()) == (200, first.json())
        assert fault_of(post("consume", amount=9, idempotency_key="k", app="away"))[:2] == (
            422,
            "idempotency_key_reused",
        )
        assert quota().used == 10

    def test_above_the_limit_it_is_402_with_what_there_is_to_know(self, post: Post, limit: Any, api: Any) -> None:
        limit(TOKENS, 10)
        post("reserve", amount=3)
        refused = post("consume", amount=8)
        body = refused.json()
        assert (refused.status_code, body["code"]) == (402, "quota_exceeded")
        assert (body["dimension"], body["limit"], body["used"], body["reserved"]) == (TOKENS, 10, 0, 3)
        assert body["resets_at"] == f"{quota().period_end:%Y-%m-%dT%H:%M:%SZ}"
        slug = Workspace.objects.get(slug=refused.wsgi_request.path.split("/")[5]).slug
        assert api.get(f"/api/v1/workspaces/{slug}/decisions/{body['decision_id']}").json()["status"] == 402
        for path in ("quota", "usage", "apps/usage", "events", "forecast", "reservations"):
            assert api.get(f"/api/v1/billing/workspaces/{slug}/{path}").status_code == 200

    def test_an_idempotency_key_header_works_beside_the_bodys(self, post: Post, api: Any, entered: Any) -> None:
        address = f"/api/v1/billing/workspaces/{entered.slug}/consume"
        body = {"dimension": TOKENS, "amount": 2, "idempotency_key": "k"}
        answers = [api.post(address, body, format="json", headers={"Idempotency-Key": "h"}) for _ in range(2)]
        answers.append(api.post(address, body, format="json", headers={"Idempotency-Key": "other"}))
        assert [answer.json() for answer in answers] == [answers[0].json()] * 3
        assert quota().used == 2

    def test_few_queries(self, post: Post, django_assert_num_queries: Any) -> None:
        post("consume")
        with django_assert_num_queries(4) as asked:
            post("consume")
        assert sum("billing_quota" in query["sql"] for query in asked.captured_queries) == 1

    @pytest.mark.parametrize("amount", [0, -1, 1.5, 1e300, 10**15, 10**30, "5", True, None, [], {}])
    @pytest.mark.parametrize("path", ["consume", "reserve"])
    def test_fault_21_an_amount_that_cannot_be_is_refused(self, post: Post, path: str, amount: Any) -> None:
        status, code, pointers = fault_of(post(path, amount=amount))
        assert status == 400
        assert pointers == ["/amount"] or code == "json_number", pointers
        assert not UsageEvent.objects.exists()
        assert not Reservation.objects.exists()

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
    def test_fault_21_what_is_no_number_is_refused(self, api: Any, entered: Any, number: str) -> None:
        body = f'{{"dimension": "{TOKENS}", "idempotency_key": "k", "amount": {number}}}'
        answer = api.post(f"/api/v1/billing/workspaces/{entered.slug}/consume", body, content_type="application/json")
        assert answer.status_code == 400
        assert not UsageEvent.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            ({"unit": "byte"}, "/unit"),
            ({"dimension": "none.such"}, "/dimension"),
            ({"dimension": "x" * 61}, "/dimension"),
            ({"app": "none-such"}, "/app"),
            ({"app": "01a1fbe4-0000-7000-8000-000000000000"}, "/app"),
            ({"idempotency_key": "k" * 201}, "/idempotency_key"),
            ({"idempotency_key": "k\n"}, "/idempotency_key"),
            ({"idempotency_key": ""}, "/idempotency_key"),
            ({"idempotency_key": 5}, "/idempotency_key"),
            ({"note": "n" * 301}, "/note"),
            ({"more": 1}, "/more"),
        ],
    )
    @pytest.mark.parametrize("path", ["consume", "reserve"])
    def test_fault_21_other_bad_input_is_pointed_at(
        self, post: Post, path: str, wrong: dict[str, Any], pointer: str
    ) -> None:
        status, _, pointers = fault_of(post(path, **wrong))
        assert (status, pointers) == (400, [pointer])

    def test_fault_21_a_level_is_not_reported(self, post: Post) -> None:
        assert fault_of(post("consume", dimension="apps")) == (400, "invalid_input", ["/dimension"])


class TestReserve:
    def test_what_is_left_of_a_reservation_is_given_back(self, post: Post, limit: Any, api: Any) -> None:
        limit(TOKENS, 10)
        made = post("reserve", amount=8, idempotency_key="k", expires_in=60)
        assert made.status_code == 201
        assert (made.json()["reserved"], made.json()["hard_limit"]) == (8, 10)
        held = api.get(made["Location"]).json()
        assert (held["status"], held["amount"], held["key"]) == ("held", 8, "k")
        commit = made["Location"].rpartition("workspaces/")[2].partition("/")[2] + "/commit"
        for _ in range(2):
            done = post(commit, amount=5)
            assert (done.status_code, done.json()["status"], done.json()["committed_amount"]) == (200, "committed", 5)
        assert (quota().used, quota().reserved) == (5, 0)
        assert fault_of(post(commit, amount=6))[:2] == (409, "reservation_ended")
        # The first answer, for ever.
        assert post("reserve", amount=8, idempotency_key="k", expires_in=60).json() == made.json()

    def test_released_is_given_back_whole(self, post: Post, api: Any) -> None:
        made = post("reserve", amount=8).json()
        for _ in range(2):
            assert post(f"reservations/{made['id']}/release").json()["status"] == "released"
        assert fault_of(post(f"reservations/{made['id']}/commit"))[:2] == (409, "reservation_ended")
        assert quota().reserved == 0

    def test_without_an_amount_all_of_it_is_committed(self, post: Post) -> None:
        made = post("reserve", amount=8).json()
        assert post(f"reservations/{made['id']}/commit").json()["committed_amount"] == 8
        assert quota().used == 8

    def test_an_expired_one_is_410(self, post: Post) -> None:
        made = post("reserve", amount=8).json()
        Reservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert fault_of(post(f"reservations/{made['id']}/commit"))[:2] == (410, "reservation_expired")

    def test_what_the_platform_holds_is_not_the_callers_to_end(self, post: Post, entered: Any) -> None:
        held = reserve(
            workspace=entered,
            dimension="database.bytes",
            amount=5,
            key="k",
            source="databases",
            actor="system",
            now=timezone.now(),
            lifetime=None,
        )
        for act in ("commit", "release"):
            assert fault_of(post(f"reservations/{held.pk}/{act}"))[:2] == (409, "reservation_of_platform")

    @pytest.mark.parametrize("seconds", [0, -1, 86401, 1.5, "60", True])
    def test_a_lifetime_that_cannot_be_is_refused(self, post: Post, seconds: Any) -> None:
        assert fault_of(post("reserve", expires_in=seconds)) == (400, "invalid_input", ["/expires_in"])

    @pytest.mark.parametrize("amount", [-1, 1.5, 10**15, "5", True])
    def test_fault_21_a_committed_amount_that_cannot_be_is_refused(self, post: Post, amount: Any) -> None:
        made = post("reserve", amount=8).json()
        assert fault_of(post(f"reservations/{made['id']}/commit", amount=amount)) == (
            400,
            "invalid_input",
            ["/amount"],
        )
        assert Reservation.objects.get().status == "held"

    def test_the_list_narrows_by_state_and_names_apps_in_one_query(
        self, post: Post, api: Any, entered: Any, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(3):
            made = post("reserve", app="home").json()
        post(f"reservations/{made['id']}/release")
        with django_assert_max_num_queries(5):
            items = api.get(f"/api/v1/billing/workspaces/{entered.slug}/reservations?status=held").json()["items"]
        assert [item["app"]["slug"] for item in items] == ["home", "home"]


class TestCorrections:
    def test_a_correction_is_an_entry_of_its_own(self, post: Post, api: Any, entered: Any) -> None:
        used = post("consume", amount=10, app="home").json()
        fixed = post("corrections", event=used["id"], amount=4, idempotency_key="c")
        assert fixed.status_code == 201
        assert (fixed.json()["amount"], fixed.json()["used"], fixed.json()["corrects"]) == (-4, 6, used["id"])
        assert (quota().used, UsageEvent.objects.total()) == (6, 6)
        assert {row.amount for row in AppUsage.objects.all()} == {6}
        assert api.get(f"/api/v1/billing/workspaces/{entered.slug}/events/{used['id']}").json()["corrected"] == 4
        assert api.get(fixed["Location"]).json()["corrects"] == used["id"]
        act = AuditEvent.objects.get(action="usage.correct")
        assert act.changes["used"] == [10, 6]
        # The same key corrects once.
        assert post("corrections", event=used["id"], amount=4, idempotency_key="c").json() == fixed.json()
        reused = post("corrections", event=used["id"], amount=5, idempotency_key="c")
        assert fault_of(reused)[:2] == (422, "idempotency_key_reused")
        assert quota().used == 6

    def test_never_more_than_what_is_left_of_it(self, post: Post) -> None:
        used = post("consume", amount=10).json()
        post("consume", amount=50)
        assert post("corrections", event=used["id"], amount=7).status_code == 201
        refused = post("corrections", event=used["id"], amount=4)
        assert (refused.status_code, refused.json()["code"], refused.json()["left"]) == (409, "not_correctable", 3)
        assert post("corrections", event=used["id"], amount=3).status_code == 201
        assert quota().used == 50

    def test_use_above_the_limit_is_taken_back_first(self, post: Post, limit: Any) -> None:
        limit(TOKENS, 10, overage=True)
        first = post("consume", amount=8).json()
        post("consume", amount=6)
        assert (quota().used, quota().overage) == (14, 4)
        fixed = post("corrections", event=first["id"], amount=3).json()
        assert (fixed["overage"], quota().used, quota().overage) == (-3, 11, 1)
        post("corrections", event=first["id"], amount=3)
        assert (quota().used, quota().overage) == (8, 0)
        assert sum(UsageEvent.objects.values_list("overage", flat=True)) == 0

    def test_of_a_period_that_is_over_no_more_than_is_used_in_this_one(self, post: Post) -> None:
        used = post("consume", amount=10).json()
        ended = timezone.now() - timedelta(seconds=1)
        Quota.objects.filter(dimension=TOKENS).update(period_end=ended, valid_until=ended)
        post("consume", amount=6)
        refused = post("corrections", event=used["id"], amount=7)
        assert (refused.status_code, refused.json()["code"], refused.json()["left"]) == (409, "not_correctable", 6)
        assert post("corrections", event=used["id"], amount=6).json()["used"] == 0
        present = quota()
        assert UsageEvent.objects.in_period(TOKENS, present.period_start).total() == 0 == present.used

    def test_the_hour_and_day_of_the_corrected_use_show_it(self, post: Post) -> None:
        used = post("consume", amount=10).json()
        long_ago = timedelta(days=3)
        UsageEvent.objects.filter(pk=used["id"]).update(occurred_at=timezone.now() - long_ago)
        for row in AppUsage.objects.all():
            AppUsage.objects.filter(pk=row.pk).update(start=row.start - long_ago)
        post("consume", amount=5)
        post("corrections", event=used["id"], amount=10)
        sums = AppUsage.objects.order_by("start", "bucket").values_list("bucket", "amount")
        assert sorted(sums[:2]) == [("day", 0), ("hour", 0)]
        assert sorted(sums[2:]) == [("day", 5), ("hour", 5)]

    def test_a_correction_a_level_and_what_is_not_there_cannot_be_corrected(
        self, post: Post, entered: Any, api: Any
    ) -> None:
        used = post("consume", amount=10).json()
        fixed = post("corrections", event=used["id"], amount=4).json()
        assert fault_of(post("corrections", event=fixed["id"], amount=1))[:2] == (409, "not_correctable")
        nowhere = post("corrections", event="01a1fbe4-0000-7000-8000-000000000000")
        assert fault_of(nowhere)[:2] == (404, "usage_event_not_found")
        note_level(workspace_id=entered.pk, dimension="apps", now=timezone.now())
        level = UsageEvent.objects.get(dimension="apps")
        assert fault_of(post("corrections", event=str(level.pk)))[:2] == (409, "not_correctable")

    def test_what_the_platform_metered_is_not_the_members_to_correct(self, post: Post, entered: Any) -> None:
        renew_lease(
            workspace=entered,
            dimension=REQUESTS,
            holder="h",
            spent={None: 5},
            wanted=0,
            source="runtime",
            now=timezone.now(),
        )
        entry = UsageEvent.objects.get(dimension=REQUESTS)
        refused = post("corrections", event=str(entry.pk))
        assert fault_of(refused)[:2] == (403, "metered_by_platform")
        assert refused.json()["decision_id"]
        assert quota(REQUESTS).used == 5

    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            ({"amount": 0}, "/amount"),
            ({"amount": 1.5}, "/amount"),
            ({"amount": "1"}, "/amount"),
            ({"note": ""}, "/note"),
            ({"event": "x"}, "/event"),
            ({"idempotency_key": "k" * 201}, "/idempotency_key"),
        ],
    )
    def test_fault_21_bad_input_is_pointed_at(self, post: Post, wrong: dict[str, Any], pointer: str) -> None:
        body = {"event": post("consume").json()["id"], **wrong}
        assert fault_of(post("corrections", **body)) == (400, "invalid_input", [pointer])


class TestRights:
    CALLS = (
        ("consume", {"dimension": TOKENS, "amount": 1, "idempotency_key": "a"}),
        ("reserve", {"dimension": TOKENS, "amount": 1, "idempotency_key": "b"}),
        ("corrections", {"event": "{event}", "amount": 1, "idempotency_key": "c", "note": "n"}),
        ("reservations/{reservation}/release", {}),
    )

    def statuses(self, client: Any, post: Post) -> list[int]:
        ids = {"event": post("consume").json()["id"], "reservation": post("reserve").json()["id"]}
        answers = []
        for path, body in self.CALLS:
            filled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
            answers.append(post(path.format(**ids), client=client, **filled).status_code)
        return answers

    @pytest.mark.parametrize(
        ("role", "expected"),
        [("viewer", [403] * 4), ("developer", [200, 201, 403, 200]), ("admin", [200, 201, 201, 200])],
    )
    def test_a_role_does_what_its_codes_say(
        self, post: Post, entered: Any, make_user: Any, make_client: Any, staying: Any, role: str, expected: list[int]
    ) -> None:
        person = make_user()
        add_member(entered, person, role)
        client = staying(make_client(person))
        assert self.statuses(client, post) == expected
        assert client.get(f"/api/v1/billing/workspaces/{entered.slug}/quota").status_code == 200

    def test_a_key_does_what_its_scopes_say(
        self, post: Post, api: Any, entered: Any, make_client: Any, staying: Any
    ) -> None:
        made = api.post(f"/api/v1/workspaces/{entered.slug}/api-keys", {"name": "k", "scopes": ["billing.consume"]})
        client = staying(make_client())
        client.credentials(HTTP_AUTHORIZATION=f"Api-Key {made.json()['key']}")
        assert self.statuses(client, post) == [200, 201, 403, 200]
        assert client.get(f"/api/v1/billing/workspaces/{entered.slug}/quota").status_code == 403
        assert UsageEvent.objects.get(idempotency_key="a").actor.startswith("api_key:")

    def test_another_workspaces_member_finds_nothing(
        self, post: Post, make_user: Any, make_client: Any, staying: Any
    ) -> None:
        assert self.statuses(staying(make_client(make_user())), post) == [404] * 4

    def test_a_suspended_workspace_is_read_not_changed(self, post: Post, entered: Any, api: Any) -> None:
        Workspace.objects.filter(pk=entered.pk).update(status="suspended")
        assert fault_of(post("consume"))[:2] == (409, "workspace_not_active")
        assert api.get(f"/api/v1/billing/workspaces/{entered.slug}/quota").status_code == 200
