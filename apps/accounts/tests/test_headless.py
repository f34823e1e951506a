"""allauth's own headless API beside ours: the same people, sessions, tokens and rules."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import OutgoingMail, RefreshToken
from apps.accounts.tests.factories import PASSWORD, code_of
from apps.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
APP = "/_allauth/app/v1"


def post(path: str, given: dict, **headers: str):
    return Client().post(f"{APP}/{path}", given, content_type="application/json", headers=headers)


def test_its_tokens_are_ours(user, bearer) -> None:
    response = post("auth/login", {"email": user.email, "password": PASSWORD})
    assert response.status_code == 200
    meta = response.json()["meta"]
    assert bearer(meta["access_token"]).get("/api/v1/me").status_code == 200
    assert RefreshToken.objects.filter(user=user).count() == 1
    fresh = post("tokens/refresh", {"refresh_token": meta["refresh_token"]})
    assert fresh.status_code == 200
    assert post("tokens/refresh", {"refresh_token": meta["refresh_token"]}).status_code == 400
    assert bearer(fresh.json()["data"]["access_token"]).get("/api/v1/me").status_code == 401


def test_its_access_tokens_end_with_their_session(user, sign_in, bearer) -> None:
    token = sign_in(user)["access"]
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get(f"{APP}/auth/session", headers=headers).status_code == 200
    bearer(token).post("/api/v1/auth/logout")
    assert Client().get(f"{APP}/auth/session", headers=headers).status_code in {401, 410}


def test_its_second_factor_is_ours(user, with_totp) -> None:
    secret, _ = with_totp(user)
    begun = post("auth/login", {"email": user.email, "password": PASSWORD})
    assert begun.status_code == 401
    session = begun.json()["meta"]["session_token"]
    assert post("auth/2fa/authenticate", {"code": "000000"}, **{"X-Session-Token": session}).status_code == 400
    code = code_of(secret)
    assert post("auth/2fa/authenticate", {"code": code}, **{"X-Session-Token": session}).status_code == 200
    again = post("auth/login", {"email": user.email, "password": PASSWORD}).json()["meta"]["session_token"]
    assert post("auth/2fa/authenticate", {"code": code}, **{"X-Session-Token": again}).status_code == 400


def test_its_limits_and_trail_are_ours(user, settings) -> None:
    settings.RATE_SIGN_IN = "2/60"
    for _ in range(2):
        post("auth/login", {"email": user.email, "password": "not this one"})
    assert post("auth/login", {"email": user.email, "password": PASSWORD}).status_code == 400
    assert AuditEvent.objects.filter(action="auth.sign_in_failed", target_name=user.email).count() == 2


def test_registering_there_makes_the_same_person(db) -> None:
    response = post("auth/signup", {"email": "Ada@Example.com", "password": PASSWORD})
    assert response.status_code == 200, response.content
    assert AuditEvent.objects.filter(action="user.registered").count() == 1
    refused = post("auth/signup", {"email": "a@mailinator.com", "password": PASSWORD})
    assert refused.status_code == 400


def test_it_sends_no_flood_of_mail(user, settings) -> None:
    settings.RATE_SIGN_IN = "3/60"
    for number in range(8):
        asked = post("auth/password/request", {"email": f"somebody-{number}@example.com"})
        assert asked.status_code == 200, "the answer tells nothing"
    assert OutgoingMail.objects.filter(kind="account/email/unknown_account").count() == 3
    browser = Client()
    browser.force_login(user)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    for number in range(8):
        browser.post("/accounts/email/", {"action_add": "", "email": f"another-{number}@example.com"})
    assert not OutgoingMail.objects.filter(to__startswith="another-").exists()
