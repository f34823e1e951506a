"""The signed-in person's own account."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from rest_framework.test import APIClient

from apps.accounts.models import OutgoingMail, RefreshToken, User
from apps.accounts.services import personal_data
from apps.accounts.signals import user_erased
from apps.accounts.tests.factories import PASSWORD
from apps.audit.models import AuditEvent
from apps.events.models import Event

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"
OWN = [
    ("get", ME),
    ("patch", ME),
    ("get", f"{ME}/sessions"),
    ("delete", f"{ME}/sessions/1"),
    ("get", f"{ME}/mfa"),
    ("post", f"{ME}/mfa/totp/setup"),
    ("post", f"{ME}/mfa/totp/activate"),
    ("post", f"{ME}/mfa/totp/deactivate"),
    ("post", f"{ME}/mfa/recovery-codes"),
    ("post", f"{ME}/export"),
    ("post", f"{ME}/erase"),
    ("post", "/api/v1/auth/password/change"),
]


@pytest.fixture
def client(user, sign_in, bearer) -> APIClient:
    return bearer(sign_in(user)["access"], HTTP_USER_AGENT="Suite/1")


@pytest.mark.parametrize(("method", "path"), OWN)
def test_nobody_is_told_to_sign_in(db, method, path) -> None:
    response = getattr(APIClient(), method)(path, {}, format="json")
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_the_profile_can_be_read_and_changed(user, client) -> None:
    given = {"name": "  Ada  Lovelace ", "locale": "pt-BR", "time_zone": "Europe/Vienna"}
    changed = client.patch(ME, given, format="json")
    assert changed.status_code == 200
    shown = client.get(ME).json()
    assert (shown["name"], shown["locale"], shown["time_zone"]) == ("Ada Lovelace", "pt-BR", "Europe/Vienna")
    trail = AuditEvent.objects.get(action="user.updated")
    assert trail.changes["locale"] == ["en", "pt-BR"]
    client.patch(ME, given, format="json")
    assert AuditEvent.objects.filter(action="user.updated").count() == 1  # nothing changed


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"locale": "english"}, "/locale"),
        ({"time_zone": "Vienna"}, "/time_zone"),
        ({"time_zone": "localtime"}, "/time_zone"),
        ({"name": "a\u0007"}, "/name"),
        ({"name": "x" * 151}, "/name"),
        ({"name": 5}, "/name"),
        ({"email": "new@example.com"}, "/email"),
        ({"is_staff": True}, "/is_staff"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_at_the_field(user, client, given, pointer) -> None:
    response = client.patch(ME, given, format="json")
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_a_stale_change_of_the_profile_is_refused(user, client) -> None:
    tag = client.get(ME)["ETag"]
    assert client.get(ME, HTTP_IF_NONE_MATCH=tag).status_code == 304
    assert client.patch(ME, {"name": "One"}, format="json", HTTP_IF_MATCH=tag).status_code == 200
    assert client.patch(ME, {"name": "Two"}, format="json", HTTP_IF_MATCH=tag).status_code == 412


def test_sessions_are_listed_and_ended(user, client, sign_in, bearer) -> None:
    other = sign_in(user)
    body = client.get(f"{ME}/sessions").json()
    assert [item["current"] for item in body["items"]] == [False, True]
    assert set(body["items"][0]) == {"id", "created_at", "last_seen_at", "address", "user_agent", "current"}
    keys = list(Session.objects.values_list("session_key", flat=True))
    assert not any(key in str(body) for key in keys)
    assert client.delete(f"{ME}/sessions/{body['items'][0]['id']}").status_code == 204
    assert bearer(other["access"]).get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": other["refresh"]}).status_code == 401
    assert client.get(ME).status_code == 200
    assert len(client.get(f"{ME}/sessions").json()["items"]) == 1


@pytest.mark.parametrize("session", ["0", "999999999", "x", "-1", "٣"])
def test_a_session_that_is_not_there_is_not_found(user, client, session) -> None:
    assert client.delete(f"{ME}/sessions/{session}").status_code == 404


def test_somebody_elses_session_is_not_found(user, client, make_user, sign_in, bearer) -> None:
    other = sign_in(make_user())
    theirs = UserSession.objects.exclude(user=user).get()
    assert client.delete(f"{ME}/sessions/{theirs.pk}").status_code == 404
    assert bearer(other["access"]).get(ME).status_code == 200


def test_changing_the_password_keeps_this_session_only(user, client, sign_in, bearer) -> None:
    other = sign_in(user)
    given = {"current_password": PASSWORD, "new_password": "a new horse 43"}
    assert client.post("/api/v1/auth/password/change", given, format="json").status_code == 204
    assert client.get(ME).status_code == 200
    assert bearer(other["access"]).get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": other["refresh"]}).status_code == 401
    assert len(client.get(f"{ME}/sessions").json()["items"]) == 1
    user.refresh_from_db()
    assert user.check_password("a new horse 43")
    assert OutgoingMail.objects.filter(kind="account/email/password_changed").exists()
    assert AuditEvent.objects.filter(action="auth.password_changed").exists()


@pytest.mark.parametrize(
    ("current", "new", "status", "code"),
    [
        ("not this one", "a new horse 43", 403, "password_wrong"),
        (PASSWORD, "short", 400, "password_too_short"),
        (PASSWORD, "1234567890123", 400, "password_entirely_numeric"),
        (PASSWORD, "", 400, "blank"),
    ],
)
def test_a_password_that_can_not_be_is_refused(user, client, current, new, status, code) -> None:
    given = {"current_password": current, "new_password": new}
    response = client.post("/api/v1/auth/password/change", given, format="json")
    assert response.status_code == status
    body = response.json()
    assert code in {body["code"], *(error["code"] for error in body.get("errors", []))}
    if status == 400:
        assert {error["pointer"] for error in body["errors"]} == {"/new_password"}


def test_a_password_set_elsewhere_ends_all_sessions(user, client) -> None:
    """As `manage.py changepassword` does, which knows nothing of sessions."""
    user.set_password("a new horse 43")
    user.save()
    assert client.get(ME).status_code == 401


def test_personal_data_is_exported_whole_and_without_secrets(user, client, monkeypatch) -> None:
    monkeypatch.setitem(personal_data._sections, "workspaces", lambda person: [{"slug": "blue"}])
    response = client.post(f"{ME}/export")
    assert response.status_code == 200
    body = response.json()
    assert body["account"]["email"] == user.email
    assert body["workspaces"] == [{"slug": "blue"}]
    assert len(body["sessions"]) == 1
    assert user.password not in response.content.decode()
    assert not any(key in response.content.decode() for key in Session.objects.values_list("session_key", flat=True))
    assert AuditEvent.objects.filter(action="user.exported", actor_id=user.pk).exists()


def test_erasing_empties_the_row_and_keeps_it(user, client, make_workspace, sign_in, monkeypatch) -> None:
    monkeypatch.setattr(personal_data, "_obstacles", [])
    refresh, old = sign_in(user)["refresh"], user.email
    told = []
    listener = lambda user, now, **kwargs: told.append(user.pk)  # noqa: E731
    user_erased.connect(listener)
    assert client.post(f"{ME}/erase", {"password": PASSWORD}).status_code == 204
    user_erased.disconnect(listener)
    assert told == [user.pk]
    row = User.objects.get(pk=user.pk)
    assert (row.name, row.is_active, row.is_staff, row.has_usable_password()) == ("", False, False, False)
    assert row.erased_at is not None
    assert old not in str(User.objects.values().get(pk=user.pk))
    assert not EmailAddress.objects.filter(user=user).exists()
    assert not RefreshToken.objects.filter(user=user).exists()
    assert not UserSession.objects.filter(user=user).exists()
    assert not OutgoingMail.objects.filter(to=old).exists()
    assert client.get(ME).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": refresh}).status_code == 401
    assert APIClient().post("/api/v1/auth/login", {"email": old, "password": PASSWORD}).status_code == 401
    assert Event.objects.filter(type="user.erased", data__user=str(user.pk)).exists()


def test_erasing_asks_for_the_password(user, client) -> None:
    assert client.post(f"{ME}/erase", {"password": "not this one"}).status_code == 403
    assert client.post(f"{ME}/erase", {}).status_code == 400
    assert User.objects.get(pk=user.pk).erased_at is None


def test_erasing_is_refused_with_everything_that_stands_in_the_way(user, client, monkeypatch) -> None:
    sentences = ["You are the last owner of Blue Team.", "You owe us a coffee."]
    monkeypatch.setattr(personal_data, "_obstacles", [lambda person: sentences])
    response = client.post(f"{ME}/erase", {"password": PASSWORD})
    assert (response.status_code, response.json()["code"]) == (409, "erasure_obstructed")
    assert response.json()["obstacles"] == sentences
    assert User.objects.get(pk=user.pk).email == user.email
    assert client.get(ME).status_code == 200


def test_the_last_operator_is_not_erased(make_user, sign_in, bearer, monkeypatch) -> None:
    monkeypatch.setattr(personal_data, "_obstacles", [])
    operator = make_user(is_staff=True)
    User.objects.filter(is_staff=True).exclude(pk=operator.pk).update(is_staff=False)
    client = bearer(sign_in(operator)["access"])
    assert client.post(f"{ME}/erase", {"password": PASSWORD}).status_code == 409
    make_user(is_staff=True)
    assert client.post(f"{ME}/erase", {"password": PASSWORD}).status_code == 204


def test_an_operator_who_acts_as_a_person_changes_nothing_about_signing_in(user, make_user, client) -> None:
    operator = make_user(is_staff=True)
    browser = APIClient()
    browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, format="multipart")
    session = browser.session
    session["hijack_history"] = [str(operator.pk)]
    session.save()
    assert browser.get(ME).status_code == 200
    for path in ("mfa/totp/setup", "erase", "mfa/recovery-codes"):
        refused = browser.post(f"{ME}/{path}", {"password": PASSWORD}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_while_impersonating")
