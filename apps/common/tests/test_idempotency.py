"""Idempotency-Key: done once, answered the same, whatever happens in between."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.common.api.idempotency import purge_answers
from apps.common.models import IdempotencyRecord
from apps.common.tests.idempotency_urls import OwnTransactionsView, SlowView, add_row

pytestmark = pytest.mark.urls("apps.common.tests.idempotency_urls")


def _post(client: APIClient, path: str, key: str | None, **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post(path, body, format="json", headers=headers)


def _rows(name: str = "row") -> int:
    return User.objects.filter(name=name).count()


@pytest.fixture
def caller(db: None) -> Any:
    return add_row("caller")


@pytest.fixture
def client(caller: Any) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(caller)
    return client


def test_a_repeat_gets_the_first_answer(client: APIClient) -> None:
    first = _post(client, "/add", "k1", name="row")
    again = _post(client, "/add", "k1", name="row")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first["Location"] == again["Location"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert _rows() == 1


def test_other_keys_and_no_key_are_other_requests(client: APIClient) -> None:
    for key in ("k1", "k2", None, None):
        assert _post(client, "/add", key, name="row").status_code == 201
    assert _rows() == 4


def test_another_caller_has_keys_of_their_own(client: APIClient) -> None:
    other = APIClient()
    other.force_authenticate(add_row("other"))
    assert _post(client, "/add", "k1", name="row").status_code == 201
    assert "Idempotency-Replayed" not in _post(other, "/add", "k1", name="row")
    assert _rows() == 2


@pytest.mark.parametrize(("path", "name"), [("/add", "another"), ("/add?x=1", "row"), ("/secret", "row")])
def test_the_same_key_for_another_request_is_422(client: APIClient, path: str, name: str) -> None:
    _post(client, "/add", "k1", name="row")
    answer = _post(client, path, "k1", name=name)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_the_order_of_members_makes_no_other_request(client: APIClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    bodies = ('{"name": "row", "then": ""}', '{"then":"","name":"row"}')
    answers = [client.post("/add", body, content_type="application/json", headers=headers) for body in bodies]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "ümlaut"])
def test_a_malformed_key_is_400(client: APIClient, key: str) -> None:
    answer = _post(client, "/add", key, name="row")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert _rows() == 0


@pytest.mark.parametrize(("then", "status"), [("conflict", 409), ("denied", 403), ("invalid", 400)])
def test_a_refusal_is_kept_and_its_effect_undone(client: APIClient, then: str, status: int) -> None:
    first = _post(client, "/add", "k1", name="row", then=then)
    again = _post(client, "/add", "k1", name="row", then=then)
    assert (first.status_code, again.status_code) == (status, status)
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == "application/problem+json"
    assert again.json() == first.json()
    assert _rows() == 0


@pytest.mark.parametrize(("then", "status"), [("limited", 429), ("unavailable", 503), ("fault", 500)])
def test_what_says_try_again_is_not_kept(client: APIClient, then: str, status: int) -> None:
    for _ in range(2):
        answer = _post(client, "/add", "k1", name="row", then=then)
        assert answer.status_code == status
        assert "Idempotency-Replayed" not in answer
    assert _rows() == 0
    assert not IdempotencyRecord.objects.exists()


def test_a_secret_answer_is_kept_sealed(client: APIClient) -> None:
    first = _post(client, "/secret", "k1")
    record = IdempotencyRecord.objects.get()
    assert record.sealed
    assert b"the-very-secret" not in bytes(record.body)
    assert _post(client, "/secret", "k1").json() == first.json() == {"key": "the-very-secret"}


def test_an_answer_is_forgotten_after_a_day(client: APIClient) -> None:
    first = _post(client, "/add", "k1", name="row")
    IdempotencyRecord.objects.update(created_at=timezone.now() - settings.IDEMPOTENCY_RETENTION + timedelta(minutes=1))
    assert _post(client, "/add", "k1", name="row").content == first.content
    IdempotencyRecord.objects.update(created_at=timezone.now() - settings.IDEMPOTENCY_RETENTION - timedelta(minutes=1))
    assert _post(client, "/add", "k1", name="row").content != first.content
    assert _rows() == 2
    assert purge_answers(now=timezone.now()) == 0
    assert purge_answers(now=timezone.now() + timedelta(hours=25)) == 1


def test_signing_in_keeps_no_answers(client: APIClient) -> None:
    for _ in range(2):
        _post(client, "/api/v1/auth/add", "k1", name="row")
    assert _rows() == 2
    assert not IdempotencyRecord.objects.exists()


def test_an_answer_left_unfinished_by_a_dead_process_is_taken_over(client: APIClient, caller: Any) -> None:
    first = _post(client, "/add", "k1", name="row")
    assert first.status_code == 201
    # As if the process had died after its claim: the effect was rolled back with the answer.
    User.objects.filter(name="row").delete()
    IdempotencyRecord.objects.update(status=None, body=None)
    assert _post(client, "/add", "k1", name="row").status_code == 201
    assert _rows() == 1


def test_a_lease_protects_what_has_transactions_of_its_own(client: APIClient, monkeypatch: Any) -> None:
    monkeypatch.setattr(OwnTransactionsView, "post", SlowView.post)
    SlowView.leave.set()
    assert _post(client, "/own", "k1", name="row").status_code == 201
    IdempotencyRecord.objects.update(status=None, locked_until=timezone.now() + timedelta(seconds=30))
    assert _post(client, "/own", "k1", name="row").status_code == 409
    IdempotencyRecord.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert _post(client, "/own", "k1", name="row").status_code == 201
    assert _post(client, "/own", "k1", name="row")["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("path", ["/slow", "/own"])
def test_in_flight_is_409_and_done_once(committed_database: str, path: str) -> None:
    """Two real threads: the second comes while the first is at work."""
    SlowView.entered.clear()
    SlowView.leave.clear()
    caller = add_row("caller")
    answers: dict[str, Any] = {}

    def call(name: str) -> None:
        client = APIClient()
        client.force_authenticate(caller)
        try:
            answers[name] = _post(client, path, "k1", name="row")
        finally:
            connections.close_all()

    first = threading.Thread(target=call, args=["first"])
    first.start()
    assert SlowView.entered.wait(20)
    second = threading.Thread(target=call, args=["second"])
    second.start()
    second.join(20)
    assert answers["second"].status_code == 409
    assert answers["second"].json()["code"] == "idempotency_in_flight"
    assert answers["second"]["Retry-After"] == "1"
    SlowView.leave.set()
    first.join(20)
    assert answers["first"].status_code == 201
    call("third")
    assert answers["third"].content == answers["first"].content
    assert _rows() == 1


def test_a_crash_in_between_leaves_neither_and_blocks_nobody(committed_database: str) -> None:
    """The connection of the first request is cut while it is at work, as when its process is killed."""
    SlowView.entered.clear()
    SlowView.leave.clear()
    caller = add_row("caller")
    answers: dict[str, Any] = {}
    backend: dict[str, int] = {}

    def call(name: str) -> None:
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(caller)
        connection.ensure_connection()
        backend[name] = connection.connection.info.backend_pid
        try:
            answers[name] = _post(client, "/slow", "k1", name="row")
        finally:
            connections.close_all()

    first = threading.Thread(target=call, args=["first"])
    first.start()
    assert SlowView.entered.wait(20)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend["first"]])
    SlowView.leave.set()
    first.join(20)
    assert answers["first"].status_code == 503
    assert _rows() == 0
    call("second")
    assert answers["second"].status_code == 201
    assert _rows() == 1
