"""Signing in and out by the API."""

from __future__ import annotations

import bcrypt
import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher, identify_hasher
from django.contrib.sessions.models import Session
from rest_framework.test import APIClient

from apps.accounts.models import LastSeen, RefreshToken, User
from apps.accounts.tests.factories import PASSWORD
from apps.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"
ME = "/api/v1/me"


def test_signing_in_answers_with_tokens_and_the_person(user, sign_in, bearer) -> None:
    body = sign_in(user)
    assert set(body) == {"access", "refresh", "expires_in", "user"}
    assert body["expires_in"] == 1800
    assert set(body["user"]) >= {"id", "email", "name", "locale", "time_zone", "email_verified", "created_at"}
    me = bearer(body["access"]).get(ME)
    assert (me.status_code, me.json()["email"]) == (200, user.email)
    assert AuditEvent.objects.filter(action="auth.signed_in", actor_id=user.pk).count() == 1


def test_the_address_counts_without_case_and_spaces(user) -> None:
    response = APIClient().post(LOGIN, {"email": f" {user.email.upper()} ", "password": PASSWORD})
    assert response.status_code == 200


def test_signing_in_never_writes_the_persons_row(user, sign_in, bearer) -> None:
    before = User.objects.values().get(pk=user.pk)
    bearer(sign_in(user)["access"]).get(ME)
    assert User.objects.values().get(pk=user.pk) == before
    assert LastSeen.objects.filter(user=user).exists()


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(user) -> None:
    wrong = APIClient().post(LOGIN, {"email": user.email, "password": "not this one"})
    unknown = APIClient().post(LOGIN, {"email": "nobody@example.com", "password": "not this one"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong["WWW-Authenticate"].startswith("Bearer")
    assert wrong["Content-Type"].startswith("application/problem+json")
    first, second = wrong.json(), unknown.json()
    assert first.pop("request_id") != second.pop("request_id")
    assert first == second
    assert first["code"] == "invalid_credentials"
    failed = AuditEvent.objects.filter(action="auth.sign_in_failed").order_by("at")
    assert [(entry.target_name, entry.changes) for entry in failed] == [
        (user.email, {"reason": "password"}),
        ("nobody@example.com", {"reason": "password"}),
    ]


def test_an_unknown_address_costs_a_hash_too(user, monkeypatch) -> None:
    hashed = []
    monkeypatch.setattr(User, "set_password", lambda self, raw: hashed.append(raw))
    APIClient().post(LOGIN, {"email": "nobody@example.com", "password": "not this one"})
    assert hashed == ["not this one"]


def test_a_deactivated_person_is_told_so_only_with_the_right_password(user) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    right = APIClient().post(LOGIN, {"email": user.email, "password": PASSWORD})
    wrong = APIClient().post(LOGIN, {"email": user.email, "password": "not this one"})
    assert (right.status_code, right.json()["code"]) == (401, "account_inactive")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")


def test_a_deactivated_person_is_out_on_the_next_request(user, sign_in, bearer) -> None:
    body = sign_in(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert bearer(body["access"]).get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": body["refresh"]}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@example.com"},
        {"email": 5, "password": "x"},
        {"email": ["a@example.com"], "password": "x"},
        {"email": "a@example.com", "password": "x", "remember": True},
        {"email": "a@example.com", "password": "x" * 1025},
        [],
        "text",
    ],
)
def test_a_malformed_sign_in_is_refused_with_pointers(db, body) -> None:
    response = APIClient().post(LOGIN, body, format="json")
    assert response.status_code == 400
    assert response.json()["errors"]


@pytest.mark.parametrize(
    "email", ["\\u0000@example.com", "a@\\ud83d.com", "\\ud83d@a.com", "@", "a@b@c", "a@-.-", "ａ@ｅx.com"]
)
def test_nonsense_in_the_address_is_no_fault_of_the_server(db, email) -> None:
    raw = f'{{"email": "{email}", "password": "not this one"}}'.encode()
    response = APIClient().generic("POST", LOGIN, raw, content_type="application/json")
    assert response.status_code in {400, 401}, response.content


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_a_bearer_that_is_no_token_is_refused_as_a_problem(db, bearer, token) -> None:
    response = bearer(token).get(ME)
    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(user, sign_in, bearer) -> None:
    body = sign_in(user)
    assert bearer(body["refresh"]).get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": body["access"]}).status_code == 401


def test_signing_out_ends_the_session_and_its_tokens(user, sign_in, bearer) -> None:
    body, other = sign_in(user), sign_in(user)
    assert bearer(body["access"]).post("/api/v1/auth/logout").status_code == 204
    assert bearer(body["access"]).get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": body["refresh"]}).status_code == 401
    assert bearer(other["access"]).get(ME).status_code == 200
    assert AuditEvent.objects.filter(action="auth.signed_out").count() == 1


def test_signing_out_works_by_refresh_token_alone(user, sign_in, bearer) -> None:
    body = sign_in(user)
    assert APIClient().post("/api/v1/auth/logout", {"refresh": body["refresh"]}).status_code == 204
    assert bearer(body["access"]).get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/logout", {"refresh": body["refresh"]}).status_code == 401
    assert APIClient().post("/api/v1/auth/logout").status_code == 401


def test_access_ends_after_half_an_hour_and_refreshing_after_seven_days(user, sign_in, bearer, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:00Z")
    body = sign_in(user)
    time_machine.shift(29 * 60)
    assert bearer(body["access"]).get(ME).status_code == 200
    time_machine.shift(2 * 60)
    assert bearer(body["access"]).get(ME).status_code == 401
    time_machine.shift(6 * 86400)
    fresh = APIClient().post("/api/v1/auth/refresh", {"refresh": body["refresh"]})
    assert fresh.status_code == 200
    assert bearer(fresh.json()["access"]).get(ME).status_code == 200
    time_machine.shift(7 * 86400 + 1)
    late = APIClient().post("/api/v1/auth/refresh", {"refresh": fresh.json()["refresh"]})
    assert late.status_code == 401


def test_refreshing_goes_on_for_longer_than_a_session_would_last(user, sign_in, bearer, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:00Z")
    refresh = sign_in(user)["refresh"]
    for _ in range(5):
        time_machine.shift(6 * 86400)
        body = APIClient().post("/api/v1/auth/refresh", {"refresh": refresh}).json()
        refresh = body["refresh"]
    assert bearer(body["access"]).get(ME).status_code == 200


def test_a_spent_refresh_token_ends_its_family_and_no_other(user, sign_in, bearer) -> None:
    body, other = sign_in(user), sign_in(user)
    second = APIClient().post("/api/v1/auth/refresh", {"refresh": body["refresh"]}).json()
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": body["refresh"]}).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": second["refresh"]}).status_code == 401
    assert bearer(second["access"]).get(ME).status_code == 401
    assert bearer(other["access"]).get(ME).status_code == 200
    assert AuditEvent.objects.filter(action="auth.refresh_token_reused").count() == 1


def test_an_access_token_costs_one_query(user, sign_in, bearer, django_assert_num_queries) -> None:
    client = bearer(sign_in(user)["access"])
    client.get("/api/v1/me/mfa")
    with django_assert_num_queries(2):  # the caller; the answer
        client.get("/api/v1/me/mfa")


def test_last_seen_is_written_once_a_minute(user, sign_in, bearer, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:00Z", tick=False)
    client = bearer(sign_in(user)["access"])
    client.get(ME)
    first = LastSeen.objects.get(user=user).at
    time_machine.shift(30)
    client.get(ME)
    assert LastSeen.objects.get(user=user).at == first


def test_of_many_sessions_the_oldest_end(user, sign_in, bearer, settings) -> None:
    settings.SESSIONS_PER_PERSON = 3
    bodies = [sign_in(user) for _ in range(5)]
    assert [bearer(body["access"]).get(ME).status_code for body in bodies] == [401, 401, 200, 200, 200]
    assert Session.objects.count() == UserSession.objects.count() == RefreshToken.objects.count() == 3


@pytest.mark.parametrize("made_by", ["bcrypt", "bcrypt_sha256"])
def test_bcrypt_hashes_are_accepted_and_upgraded_to_argon2(user, settings, sign_in, made_by) -> None:
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]  # without the suite's cheap one
    if made_by == "bcrypt":
        encoded = "bcrypt$" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        assert "$2b$" in encoded
    else:
        encoded = BCryptSHA256PasswordHasher().encode(PASSWORD, bcrypt.gensalt(4))
    User.objects.filter(pk=user.pk).update(password=encoded)
    wrong = APIClient().post(LOGIN, {"email": user.email, "password": "not this one"})
    assert wrong.status_code == 401
    sign_in(user)
    user.refresh_from_db()
    assert identify_hasher(user.password).algorithm == "argon2"
    sign_in(user)


def test_an_idempotency_key_does_not_matter_here(user) -> None:
    given = {"email": user.email, "password": PASSWORD}
    first = APIClient().post(LOGIN, given, HTTP_IDEMPOTENCY_KEY="one")
    second = APIClient().post(LOGIN, given, HTTP_IDEMPOTENCY_KEY="one")
    assert first.status_code == second.status_code == 200
    assert first.json()["refresh"] != second.json()["refresh"]


def test_old_credentials_in_the_header_do_not_stand_in_the_way(user, bearer) -> None:
    response = bearer("stale").post(LOGIN, {"email": user.email, "password": PASSWORD})
    assert response.status_code == 200


def test_signing_in_by_the_api_sets_no_cookie(user) -> None:
    response = APIClient().post(LOGIN, {"email": user.email, "password": PASSWORD})
    assert not response.cookies
