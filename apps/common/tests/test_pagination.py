"""Lists: every row on exactly one page, whatever the order, and nothing ignored that was asked for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.common.api.pagination import cut_page

pytestmark = [pytest.mark.django_db, pytest.mark.urls("apps.common.tests.probe_urls")]


@pytest.fixture
def people(db: None) -> list[Any]:
    User.objects.all().delete()
    # Many share a name: the key alone tells them apart.
    return [_add(f"person{index}", ["Ann", "Bob", "李小龙"][index % 3]) for index in range(11)]


def _add(address: str, name: str) -> Any:
    """A row alone, without all that belongs to a person who registers."""
    (row,) = User.objects.all().bulk_create([User(email=f"{address}@example.com", name=name)])
    return row


def _walk(client: APIClient, url: str | None, way: str = "next") -> list[list[str]]:
    pages = []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.content
        pages.append([item["id"] for item in answer.json()["items"]])
        url = answer.json()[way]
        assert len(pages) < 30
    return pages


@pytest.mark.parametrize("order", ["created_at", "-created_at", "name", "-name", "email", "-email"])
def test_walking_forth_and_back_shows_every_row_once(client: APIClient, people: list[Any], order: str) -> None:
    pages = _walk(client, f"/people?limit=4&order={order}")
    column = order.lstrip("-")
    sign = "-" if order.startswith("-") else ""
    expected = [str(pk) for pk in User.objects.order_by(f"{sign}{column}", f"{sign}id").values_list("pk", flat=True)]
    assert [len(page) for page in pages] == [4, 4, 3]
    assert [pk for page in pages for pk in page] == expected

    last = client.get(client.get(client.get(f"/people?limit=4&order={order}").json()["next"]).json()["next"]).json()
    assert last["next"] is None
    back = _walk(client, last["previous"], "previous")
    assert back == [pages[1], pages[0]]


def test_rows_that_come_and_go_shift_no_page(client: APIClient, people: list[Any]) -> None:
    first = client.get("/people?limit=4&order=created_at").json()
    people[0].delete()
    _add("newcomer", "New")
    second = client.get(first["next"]).json()
    assert [item["id"] for item in second["items"]] == [str(person.pk) for person in people[4:8]]


def test_an_emptied_page_leads_back(client: APIClient, people: list[Any]) -> None:
    first = client.get("/people?limit=9&order=created_at").json()
    for person in people[9:]:
        person.delete()
    emptied = client.get(first["next"]).json()
    assert emptied["items"] == []
    assert emptied["next"] is None
    assert [item["id"] for item in client.get(emptied["previous"]).json()["items"]] == [
        str(person.pk) for person in people[:9]
    ]


def test_default_page_has_fifty(client: APIClient) -> None:
    for index in range(51):
        _add(f"person{index}", "Ann")
    answer = client.get("/people").json()
    assert len(answer["items"]) == 50
    assert answer["next"].startswith("http://testserver/people?cursor=")
    assert answer["previous"] is None


def _cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


_ID = "0190a000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "/limit", "invalid_limit"),
        ("limit=201", "/limit", "invalid_limit"),
        ("limit=ten", "/limit", "invalid_limit"),
        ("limit=", "/limit", "invalid_limit"),
        ("limit=%D9%A3", "/limit", "invalid_limit"),
        ("limit=99999999999999999999", "/limit", "invalid_limit"),
        ("order=password", "/order", "invalid_order"),
        ("order=--name", "/order", "invalid_order"),
        ("cursor=x", "/cursor", "invalid_cursor"),
        ("cursor=%00", "/cursor", "invalid"),
        (f"cursor={_cursor()}", "/cursor", "invalid_cursor"),
        (f"cursor={_cursor('a', 'name', 'Ann', _ID)}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('a', 'name', 'Ann')}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('z', 'name', 'Ann', _ID)}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('a', 'name', 'Ann', 'no uuid')}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('a', 'name', ['Ann'], _ID)}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('a', 'name', 'A' + chr(0), _ID)}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('a', 'name', chr(0xD800), _ID)}", "/cursor", "invalid_cursor"),
        (f"order=name&cursor={_cursor('a', 'name', None, _ID)}", "/cursor", "invalid_cursor"),
        (f"cursor={_cursor('a', '-created_at', 'yesterday', _ID)}", "/cursor", "invalid_cursor"),
        (f"cursor={_cursor('a', '-created_at', 1e300, _ID)}", "/cursor", "invalid_cursor"),
        (f"cursor={_cursor('a', '-created_at', '0001-01-01T00:00:00+14:00', _ID)}", "/cursor", "invalid_cursor"),
        ("created_at_after=0001-01-01T00:00:00%2B14:00", "/created_at", "invalid"),
        ("cursor=" + "W" * 4000, "/cursor", "invalid_cursor"),
        ("nam=Ann", "/nam", "unknown_parameter"),
        ("fields=id,secret", "/fields", "unknown_field"),
        ("is_active=perhaps", "/is_active", "invalid"),
        ("locale=xx", "/locale", "invalid_choice"),
        ("created_at_after=soon", "/created_at", "invalid"),
        ("q=%00", "/q", "invalid"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: APIClient, people: list[Any], query: str, pointer: str, code: str
) -> None:
    answer = client.get(f"/people?{query}")
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


def test_an_unknown_parameter_learns_the_known_ones(client: APIClient, people: list[Any]) -> None:
    detail = client.get("/people?colour=red").json()["errors"][0]["detail"]
    for known in ("cursor", "limit", "order", "fields", "q", "name", "created_at_after", "created_at_before"):
        assert known in detail


def test_filters_search_and_fields(client: APIClient, people: list[Any]) -> None:
    def names(query: str) -> list[str]:
        return [item["name"] for item in client.get(f"/people?{query}").json()["items"]]

    assert set(names("name=Ann")) == {"Ann"}
    assert len(names("q=小")) == 3
    assert len(names("q=BO")) == 4
    assert names("q=%25") == []
    assert len(names("is_active=true")) == 11
    assert names("is_active=false") == []
    assert client.get("/people?fields=name&limit=1&order=created_at").json()["items"] == [{"name": "Ann"}]
    following = client.get("/people?q=bob&limit=1&fields=name").json()["next"]
    assert "q=bob" in following
    assert "fields=name" in following


def test_any_offset_from_utc_is_taken(client: APIClient, people: list[Any]) -> None:
    cursor = _cursor("a", "-created_at", "2099-01-01T00:00:00+17:22", _ID)
    assert len(client.get(f"/people?cursor={cursor}").json()["items"]) == 11


def test_number_of_queries_does_not_grow(client: APIClient, people: list[Any]) -> None:
    for limit in (1, 10):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(f"/people?limit={limit}")
        assert len([query for query in captured if "SELECT" in query["sql"]]) == 1


def test_a_far_page_is_found_by_index(people: list[Any], django_assert_num_queries: Any) -> None:
    rows = User.objects.order_by("created_at")
    page = cut_page(rows, order="email", columns={"email": "email"}, limit=2, cursor=None)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX people_by_email ON accounts_user (email, id)")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    with CaptureQueriesContext(connection) as captured:
        cut_page(rows, order="email", columns={"email": "email"}, limit=2, cursor=page.next)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + captured[-1]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Cond: (ROW(" in plan
    assert "Sort" not in plan


def test_a_nullable_column_is_no_order(people: list[Any]) -> None:
    with pytest.raises(ImproperlyConfigured):
        cut_page(User.objects.all(), order="erased_at", columns={"erased_at": "erased_at"}, limit=2, cursor=None)
