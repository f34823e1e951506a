"""Quotas, the ledger, use by time and forecasts over HTTP."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from apps.applications.models import App
from apps.audit.models import AuditEvent
from apps.billing.models import AppUsage, ClosedPeriod, Quota, QuotaOverride, UsageEvent
from apps.billing.selectors.forecast import forecasts_of
from apps.billing.services.consumption import consume
from apps.billing.services.quotas import find_quota
from apps.common.ids import new_id
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

TOKENS, REQUESTS = "ai.tokens", "runtime.requests"


@pytest.fixture
def api(api: APIClient, staying: Any) -> APIClient:
    return staying(api)  # type: ignore[no-any-return]


@pytest.fixture
def get(api: APIClient, entered: Any) -> Any:
    return lambda path: api.get(f"/api/v1/billing/workspaces/{entered.slug}/{path}")


def use(workspace: Any, amount: int, *, dimension: str = TOKENS, **details: Any) -> dict[str, Any]:
    details = {"key": str(new_id()), "now": timezone.now(), **details}
    return consume(workspace=workspace, dimension=dimension, amount=amount, source="api", actor="user:x", **details)


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


class TestQuota:
    def test_every_dimension_says_how_it_stands(self, get: Any, entered: Any, limit: Any) -> None:
        limit(TOKENS, 100, soft=50)
        use(entered, 60)
        shown = {each["dimension"]: each for each in get("quota").json()["dimensions"]}
        assert set(shown) == set(Quota.objects.values_list("dimension", flat=True))
        tokens = shown[TOKENS]
        assert (tokens["used"], tokens["room"], tokens["percent"], tokens["over_soft_limit"]) == (60, 40, 60.0, True)
        assert (tokens["source"], tokens["grace_until"], tokens["override"]) == ("plan", None, None)
        assert tokens["period"]["end"] == tokens["resets_at"]
        assert shown["apps"]["used"] == App.objects.count()
        assert shown["apps"]["resets_at"] is None

    def test_an_override_says_why_and_until_when(self, get: Any, entered: Any, limit: Any) -> None:
        quota = limit(TOKENS, 100)
        ends_at = timezone.now() + timedelta(days=3)
        QuotaOverride.objects.create(
            dimension=TOKENS,
            hard_limit=7,
            reason="A pilot",
            ends_at=ends_at,
            made_by="x",
            created_at=timezone.now(),
        )
        Quota.objects.filter(pk=quota.pk).update(valid_until=timezone.now())
        tokens = next(each for each in get("quota").json()["dimensions"] if each["dimension"] == TOKENS)
        assert (tokens["hard_limit"], tokens["source"], tokens["override"]["reason"]) == (7, "override", "A pilot")
        assert tokens["override"]["ends_at"] == f"{ends_at:%Y-%m-%dT%H:%M:%S.%fZ}"

    def test_its_queries_do_not_grow(self, get: Any, django_assert_max_num_queries: Any) -> None:
        get("quota")
        with django_assert_max_num_queries(5):
            get("quota")


class TestEvents:
    def test_they_are_narrowed_by_what_they_are(self, get: Any, entered: Any) -> None:
        app = App.objects.get()
        first = use(entered, 1, key="one", app_id=app.pk, note="n")
        use(entered, 2, dimension=REQUESTS)
        for query in (f"dimension={TOKENS}", "app=home", f"app={app.pk}", "key=one"):
            items = get(f"events?{query}").json()["items"]
            assert [item["id"] for item in items] == [first["id"]], query
        assert items[0]["app"] == {"id": str(app.pk), "slug": "home", "name": app.name}
        assert (items[0]["amount"], items[0]["source"], items[0]["key"]) == (1, "api", "one")
        assert len(get("events?source=api").json()["items"]) == 2
        today = datetime.now(ZoneInfo(entered.time_zone)).date()
        assert len(get(f"events?from={today}&to={today + timedelta(days=1)}").json()["items"]) == 2
        assert get(f"events?to={today}").json()["items"] == []
        one = get(f"events/{first['id']}").json()
        assert (one["corrected"], one["app"]["slug"]) == (0, "home")

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("dimension=none.such", "/dimension"),
            ("app=none-such", "/app"),
            ("from=yesterday", "/from"),
            ("from=2026-02-30", "/from"),
            ("to=0001-01-01T00:00:00%2B23:00", "/to"),
            ("from=2026-02-02&to=2026-02-01", "/to"),
            ("as=xlsx", "/as"),
            ("more=1", "/more"),
        ],
    )
    def test_bad_input_is_pointed_at(self, get: Any, query: str, pointer: str) -> None:
        answer = get(f"events?{query}")
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])

    def test_pages_are_cut_by_position_with_a_constant_number_of_queries(
        self, get: Any, entered: Any, api: Any, django_assert_max_num_queries: Any
    ) -> None:
        app = App.objects.get()
        made = [use(entered, 1, app_id=app.pk)["id"] for _ in range(7)]
        with django_assert_max_num_queries(4):
            page = get("events?limit=3").json()
        seen = [item["id"] for item in page["items"]]
        while page["next"]:
            page = api.get(page["next"]).json()
            seen += [item["id"] for item in page["items"]]
        assert seen == made[::-1]

    def test_as_csv_they_are_all_there_and_harmless(self, get: Any, entered: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr("apps.common.exports._CHUNK", 2)
        for number in range(5):
            use(entered, number + 1, note="=1+1")
        use(entered, 9, dimension=REQUESTS)
        rows = rows_of(get(f"events?as=csv&dimension={TOKENS}"))
        assert [int(row["amount"]) for row in rows] == [5, 4, 3, 2, 1]
        assert {row["note"] for row in rows} == {"'=1+1"}
        assert AuditEvent.objects.get(action="usage.export").target_name == "events.csv"


class TestUsage:
    def test_apps_and_workspace_by_hour_and_day(self, get: Any, entered: Any) -> None:
        app, gone = App.objects.get(), new_id()
        moment = timezone.now()
        for app_id, amount in ((app.pk, 3), (gone, 4), (None, 5)):
            use(entered, amount, app_id=app_id, now=moment)
        for bucket in ("hour", "day"):
            items = get(f"apps/usage?bucket={bucket}").json()["items"]
            assert sorted((item["amount"], item["app"] and item["app"]["slug"]) for item in items) == [
                (3, "home"),
                (4, None),
                (5, None),
            ]
            totals = get(f"usage?bucket={bucket}&dimension={TOKENS}").json()
            assert [item["amount"] for item in totals["items"]] == [12]
        assert [item["amount"] for item in get("apps/usage?app=home").json()["items"]] == [3]
        assert [item["amount"] for item in get(f"apps/usage?app={gone}").json()["items"]] == [4]
        rows = rows_of(get("apps/usage?as=csv&app=home"))
        assert [(row["app_slug"], row["amount"]) for row in rows] == [("home", "3")]

    def test_a_day_is_one_of_the_workspaces_zone(self, get: Any, entered: Any) -> None:
        type(entered).objects.filter(pk=entered.pk).update(time_zone="Asia/Shanghai")
        entered.time_zone = "Asia/Shanghai"
        find_quota(workspace=entered, dimension=TOKENS, now=timezone.now())
        Quota.objects.update(
            period_start=datetime(2026, 1, 1, tzinfo=UTC), valid_until=datetime(2099, 1, 1, tzinfo=UTC)
        )
        use(entered, 1, now=datetime(2026, 3, 14, 15, 59, tzinfo=UTC))
        use(entered, 2, now=datetime(2026, 3, 14, 16, 0, tzinfo=UTC))
        shown = get("usage?from=2026-03-15&to=2026-03-16").json()
        assert [(item["start"], item["amount"]) for item in shown["items"]] == [("2026-03-14T16:00:00Z", 2)]
        # The bucket in which a range begins is whole.
        assert get("usage?from=2026-03-15T08:00:00%2B08:00&to=2026-03-16").json()["items"] == shown["items"]

    def test_closed_periods_are_those_within_reach(self, get: Any) -> None:
        for month in (1, 2, 3):
            ClosedPeriod.objects.create(
                dimension=TOKENS,
                started_at=datetime(2026, month, 1, tzinfo=UTC),
                ended_at=datetime(2026, month + 1, 1, tzinfo=UTC),
                used=month,
                overage=0,
            )
        shown = get("usage?from=2026-02-10&to=2026-02-20").json()["periods"]
        assert [period["used"] for period in shown] == [2]

    @pytest.mark.parametrize("path", ["usage", "apps/usage"])
    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("bucket=week", "/bucket"),
            ("from=x", "/from"),
            ("to=2026-13-01", "/to"),
            ("from=2026-02-02&to=2026-02-02", "/to"),
            ("from=2024-01-01&to=2026-01-01", "/to"),
            ("bucket=hour&from=2026-01-01&to=2026-02-02", "/to"),
            ("to=0001-01-01T12:00:00Z", "/from"),
            ("from=9999-12-31T23:00:00-12:00", "/from"),
            ("dimension=none.such", "/dimension"),
        ],
    )
    def test_bad_ranges_are_pointed_at(self, get: Any, path: str, query: str, pointer: str) -> None:
        answer = get(f"{path}?{query}")
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])


class TestForecast:
    def forecast(self, dimension: str, now: datetime) -> Any:
        return forecasts_of(Quota.objects.filter(dimension=dimension), now=now)[0]

    def test_a_counter_goes_on_at_the_rate_of_its_period(self, limit: Any) -> None:
        limit(TOKENS, 200, soft=110, used=100)
        start = datetime(2026, 3, 1, tzinfo=UTC)
        Quota.objects.update(period_start=start, period_end=start + timedelta(days=30))
        shown = self.forecast(TOKENS, start + timedelta(days=20))
        assert (shown.rate, shown.projected, shown.projected_at) == (5.0, 150, start + timedelta(days=30))
        assert shown.soft_limit_at == start + timedelta(days=22)
        assert shown.hard_limit_at is None

    def test_what_is_reached_is_reached_now_and_first_minutes_say_little(self, limit: Any) -> None:
        limit(TOKENS, 100, soft=50, used=60)
        start = datetime(2026, 3, 1, tzinfo=UTC)
        Quota.objects.update(period_start=start, period_end=start + timedelta(days=30))
        shown = self.forecast(TOKENS, start + timedelta(minutes=1))
        assert shown.soft_limit_at == start + timedelta(minutes=1)
        assert shown.rate == 240.0

    def test_a_level_grows_as_it_did_lately(self, limit: Any) -> None:
        quota = limit("database.bytes", 2_000, used=1_300)
        now = timezone.now()
        for days, amount in ((40, 1_000), (6, 140), (2, -70), (1, 210)):
            UsageEvent.objects.create(
                dimension="database.bytes",
                amount=amount,
                source="measured",
                occurred_at=now - timedelta(days=days),
                period_start=quota.period_start,
            )
        shown = self.forecast("database.bytes", now)
        assert (shown.rate, shown.projected) == (40.0, 2_500)
        assert shown.hard_limit_at == now + timedelta(days=17.5)
        assert self.forecast("apps", now).hard_limit_at is None

    def test_its_first_measurement_is_not_growth(self, limit: Any) -> None:
        quota = limit("database.bytes", 2_000, used=1_000)
        now = timezone.now()
        UsageEvent.objects.create(
            dimension="database.bytes",
            amount=1_000,
            source="measured",
            occurred_at=now - timedelta(days=1),
            period_start=quota.period_start,
        )
        assert self.forecast("database.bytes", now).rate == 0

    def test_over_http(self, get: Any, entered: Any, django_assert_max_num_queries: Any) -> None:
        use(entered, 1)
        get("quota")
        with django_assert_max_num_queries(5):
            answer = get("forecast").json()
        assert {each["dimension"] for each in answer["dimensions"]} == set(
            Quota.objects.values_list("dimension", flat=True)
        )
        tokens = next(each for each in answer["dimensions"] if each["dimension"] == TOKENS)
        assert tokens["used"] == 1
        assert tokens["rate_per_day"] > 0


class TestRights:
    PATHS = ("quota", "forecast", "usage", "apps/usage", "events", "events?as=csv", "reservations")

    def test_a_viewer_reads_and_another_workspaces_member_finds_nothing(
        self, entered: Any, make_user: Any, make_client: Any, staying: Any
    ) -> None:
        viewer, stranger = make_user(), make_user()
        add_member(entered, viewer, "viewer")
        for person, status in ((viewer, 200), (stranger, 404)):
            client = staying(make_client(person))
            for path in self.PATHS:
                assert client.get(f"/api/v1/billing/workspaces/{entered.slug}/{path}").status_code == status, path


class TestIndexes:
    """With many rows, what is asked for is found by an index; else a page would cost what the whole ledger holds."""

    @pytest.fixture
    def many(self, entered: Any) -> Any:
        moment, period = timezone.now(), datetime(2026, 1, 1, tzinfo=UTC)
        dimensions, apps = ["a", "b", "c", TOKENS], [new_id() for _ in range(50)]
        UsageEvent.objects.bulk_create(
            UsageEvent(
                dimension=dimensions[number % 4],
                amount=1,
                app_id=apps[number % 50],
                source="api",
                occurred_at=moment - timedelta(minutes=number),
                period_start=period,
                idempotency_key=f"k{number}",
            )
            for number in range(4_000)
        )
        AppUsage.objects.bulk_create(
            AppUsage(
                app_id=apps[number % 50],
                dimension=TOKENS,
                bucket=["hour", "day"][number % 2],
                start=moment - timedelta(hours=number),
                amount=1,
            )
            for number in range(4_000)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE billing_usageevent, billing_appusage")
        return apps

    def test_lists_and_sums_are_found_by_index(self, many: Any) -> None:
        newest = UsageEvent.objects.order_by("-occurred_at", "-id")
        # A small part of what there is: for a large one, reading all of it is right.
        since = timezone.now() - timedelta(hours=3)
        questions = {
            "all": newest[:50],
            "dimension": newest.filter(dimension=TOKENS)[:50],
            "app": newest.filter(app_id=many[0])[:50],
            "key": newest.filter(idempotency_key="k7"),
            "range": newest.filter(occurred_at__gte=since)[:50],
            "growth": UsageEvent.objects.filter(dimension=TOKENS, occurred_at__gt=since).order_by("id"),
            "buckets": AppUsage.objects.filter(bucket="day", start__gte=since - timedelta(days=7)).order_by(
                "-start", "-id"
            )[:50],
        }
        plans = {name: rows.explain() for name, rows in questions.items()}
        assert {name: plan for name, plan in plans.items() if "Seq Scan" in plan} == {}
