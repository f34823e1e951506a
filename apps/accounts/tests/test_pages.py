"""The sign-in pages, as a browser without JavaScript uses them."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import OutgoingMail, User
from apps.accounts.services.addresses import prove_address
from apps.accounts.services.mail import deliver_due_mail
from apps.accounts.services.passwords import reset_context
from apps.accounts.tests.factories import PASSWORD, code_of
from apps.audit.models import AuditEvent

pytestmark = pytest.mark.django_db

OPEN_PAGES = ["login/", "signup/", "password/reset/", "password/reset/done/", "inactive/", "confirm-email/"]
OWN_PAGES = ["", "email/", "password/change/", "2fa/", "sessions/", "logout/"]


@pytest.fixture
def browser(user) -> Client:
    """A browser that is signed in as ``user``."""
    client = Client()
    response = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302
    return client


@pytest.mark.parametrize("page", OPEN_PAGES)
def test_open_pages_are_in_the_platforms_look(db, page) -> None:
    response = Client().get(f"/accounts/{page}")
    assert response.status_code == 200
    assert_clean(response)


@pytest.mark.parametrize("page", OWN_PAGES)
def test_own_pages_are_for_people_who_are_signed_in(browser, page) -> None:
    response = browser.get(f"/accounts/{page}")
    assert response.status_code == 200
    assert_clean(response)
    if page != "logout/":
        assert Client().get(f"/accounts/{page}")["Location"].startswith("/accounts/login/?next=")


def assert_clean(response) -> None:
    """Our frame, and nothing that the content security policy would refuse."""
    html = response.content.decode()
    assert "css/account.css" in html
    assert not re.search(r'\sstyle="|<style|<script|\son\w+="|javascript:', html)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


def test_signing_in_and_out(user, browser) -> None:
    assert user.email in browser.get("/accounts/").content.decode()
    assert browser.post("/accounts/logout/").status_code == 302
    assert browser.get("/accounts/").status_code == 302
    assert AuditEvent.objects.filter(actor_id=user.pk).values_list("action", flat=True).order_by("at").last() == (
        "auth.signed_out"
    )


def test_a_wrong_password_is_told_beside_the_form_and_kept_in_the_trail(user) -> None:
    response = Client().post("/accounts/login/", {"login": user.email, "password": "not this one"})
    assert "don&#x27;t belong together" in response.content.decode()
    assert AuditEvent.objects.filter(action="auth.sign_in_failed", target_name=user.email).exists()


def test_signing_in_goes_where_it_was_asked_for_but_never_elsewhere(user) -> None:
    given = {"login": user.email, "password": PASSWORD}
    assert Client().post("/accounts/login/?next=/admin/", {**given, "next": "/admin/"})["Location"] == "/admin/"
    away = Client().post("/accounts/login/", {**given, "next": "https://evil.example/"})
    assert away["Location"] == "/accounts/"


def test_too_many_attempts_are_stopped_on_the_page_too(user, settings) -> None:
    settings.RATE_SIGN_IN = "3/60"
    for _ in range(3):
        Client().post("/accounts/login/", {"login": user.email, "password": "not this one"})
    response = Client().post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 200
    assert "Too many attempts" in response.content.decode()


def test_registering_on_the_page_makes_a_person_signs_in_and_sends_the_link(db) -> None:
    browser = Client()
    given = {"name": "Ada", "email": "Ada@Example.com", "password1": "correct horse 42"}
    response = browser.post("/accounts/signup/", given)
    assert (response.status_code, response["Location"]) == (302, "/accounts/")
    ada = User.objects.get(email="ada@example.com")
    assert ada.name == "Ada"
    assert "Ada" in browser.get("/accounts/").content.decode()
    mail = OutgoingMail.objects.get(to="ada@example.com")
    assert mail.kind == "account/email/email_confirmation_signup"
    assert AuditEvent.objects.filter(action="user.registered", target_id=str(ada.pk)).count() == 1


@pytest.mark.parametrize(
    ("fields", "where", "told"),
    [
        ({"email": "nonsense"}, "id_email_error", "valid email"),
        ({"email": "a@mailinator.com"}, "id_email_error", "mailbox of your own"),
        ({"password1": "short"}, "id_password1_error", "too short"),
        ({"name": "a\x07b"}, "id_name_error", "control characters"),
    ],
)
def test_errors_stand_beside_their_fields(db, fields, where, told) -> None:
    given = {"name": "Ada", "email": "ada@example.com", "password1": "correct horse 42", **fields}
    html = Client().post("/accounts/signup/", given).content.decode()
    assert told in html[html.index(f'id="{where}"') :][:400]
    assert not User.objects.filter(email="ada@example.com").exists()


def test_a_taken_address_is_told_on_the_page(user) -> None:
    given = {"name": "Ada", "email": user.email, "password1": "correct horse 42"}
    assert "registered already" in Client().post("/accounts/signup/", given).content.decode()


def test_registration_is_limited_on_the_page(db, settings) -> None:
    settings.RATE_REGISTRATION = "1/3600"
    given = {"name": "Ada", "email": "nonsense", "password1": "correct horse 42"}
    assert Client(REMOTE_ADDR="198.51.100.7").post("/accounts/signup/", given).status_code == 200
    limited = Client(REMOTE_ADDR="198.51.100.7").post("/accounts/signup/", given)
    assert limited.status_code == 429
    assert int(limited["Retry-After"]) > 3000
    assert_clean(limited)


def link_of(mailoutbox, path: str) -> str:
    """The last message's link to a page, without the host."""
    deliver_due_mail(now=timezone.now())
    found = re.search(rf"http://127.0.0.1:8000(/accounts/{path}\S+)", mailoutbox[-1].body)
    assert found, mailoutbox[-1].body
    return found[1]


def test_the_link_in_the_mail_confirms_the_address(db, mailoutbox) -> None:
    browser = Client()
    browser.post("/accounts/signup/", {"name": "Ada", "email": "ada@example.com", "password1": "correct horse 42"})
    link = link_of(mailoutbox, "confirm-email/")
    page = browser.get(link)
    assert_clean(page)
    assert not EmailAddress.objects.get(email="ada@example.com").verified  # looking is not confirming
    assert browser.post(link).status_code == 302
    assert EmailAddress.objects.get(email="ada@example.com").verified
    assert_clean(browser.get("/accounts/confirm-email/nonsense/"))


def test_a_forgotten_password_is_replaced_by_the_link(user, browser, mailoutbox) -> None:
    stranger = Client()
    assert stranger.post("/accounts/password/reset/", {"email": user.email}).status_code == 302
    link = link_of(mailoutbox, "password/reset/key/")
    form = stranger.get(link, follow=True)
    assert_clean(form)
    action = form.redirect_chain[-1][0]
    given = {"password1": "a new horse 43", "password2": "a new horse 43"}
    assert stranger.post(action, given).status_code == 302
    assert browser.get("/accounts/").status_code == 302  # signed out where the old password was used
    user.refresh_from_db()
    assert user.check_password("a new horse 43")
    assert "not valid any more" in Client().get(link, follow=True).content.decode()


def test_changing_the_password_signs_out_elsewhere(user, browser, sign_in, bearer) -> None:
    token = sign_in(user)["access"]
    given = {"oldpassword": PASSWORD, "password1": "a new horse 43", "password2": "a new horse 43"}
    assert browser.post("/accounts/password/change/", given).status_code == 302
    assert browser.get("/accounts/").status_code == 200
    assert bearer(token).get("/api/v1/me").status_code == 401


def test_two_step_sign_in_from_setting_up_to_turning_off(
    user, browser, time_machine, django_capture_on_commit_callbacks
) -> None:
    time_machine.move_to("2026-05-01T12:00:00Z", tick=False)
    prove_address(user_id=user.pk, email=user.email, now=timezone.now())
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get("/accounts/2fa/totp/activate/")
    assert_clean(page)
    secret = page.context["form"].secret
    assert browser.post("/accounts/2fa/totp/activate/", {"code": "000000"}).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    stored = Authenticator.objects.get(user=user, type="totp")
    assert secret not in str(stored.data)
    codes = browser.get("/accounts/2fa/recovery-codes/")
    assert_clean(codes)
    recovery = codes.context["unused_codes"][0]
    assert recovery.isdigit()
    assert recovery not in browser.get("/accounts/2fa/recovery-codes/").content.decode()

    time_machine.shift(60)
    other = Client()
    challenge = other.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, follow=True)
    assert_clean(challenge)
    assert challenge.redirect_chain[-1][0] == "/accounts/2fa/authenticate/"
    assert other.get("/accounts/").status_code == 302
    assert "not valid now" in other.post("/accounts/2fa/authenticate/", {"code": "000000"}).content.decode()
    present = code_of(secret)
    assert other.post("/accounts/2fa/authenticate/", {"code": present})["Location"] == "/accounts/"
    again = Client()
    again.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert again.post("/accounts/2fa/authenticate/", {"code": present}).status_code == 200  # once only
    assert again.post("/accounts/2fa/authenticate/", {"code": recovery})["Location"] == "/accounts/"
    assert_clean(browser.get("/accounts/2fa/"))
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert_clean(browser.get("/accounts/2fa/totp/deactivate/"))
    assert_clean(browser.get("/accounts/2fa/recovery-codes/generate/"))
    assert browser.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert not Authenticator.objects.filter(user=user).exists()
    actions = set(AuditEvent.objects.filter(target_id=str(user.pk)).values_list("action", flat=True))
    assert {"auth.mfa_activated", "auth.mfa_deactivated", "auth.sign_in_failed"} <= actions


def test_a_new_address_takes_the_old_ones_place_once_confirmed(user, browser, mailoutbox) -> None:
    prove_address(user_id=user.pk, email=user.email, now=timezone.now())
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    browser.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    user.refresh_from_db()
    assert user.email != "new@example.com"
    assert_clean(browser.get("/accounts/email/"))
    link = link_of(mailoutbox, "confirm-email/")
    browser.post(link)
    user.refresh_from_db()
    assert user.email == "new@example.com"
    assert EmailAddress.objects.filter(user=user).count() == 1


def test_sessions_can_be_ended_everywhere_else(user, browser, sign_in, bearer) -> None:
    token = sign_in(user)["access"]
    assert browser.post("/accounts/sessions/").status_code == 302
    assert bearer(token).get("/api/v1/me").status_code == 401
    assert browser.get("/accounts/").status_code == 200


def test_links_in_mail_do_not_follow_the_host_header(user, mailoutbox, settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    Client().post("/accounts/password/reset/", {"email": user.email}, HTTP_HOST="evil.example")
    deliver_due_mail(now=timezone.now())
    assert "evil.example" not in mailoutbox[-1].body + mailoutbox[-1].alternatives[0].content


def test_a_link_for_an_address_that_somebody_else_registered_meanwhile(user, browser, mailoutbox, make_user) -> None:
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    browser.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    link = link_of(mailoutbox, "confirm-email/")
    make_user(email="new@example.com")
    assert browser.post(link, follow=True).status_code == 200
    key = link.rstrip("/").rsplit("/", 1)[-1]
    refused = Client().post("/api/v1/auth/verify-email", {"key": key}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "email_taken")
    user.refresh_from_db()
    assert user.email != "new@example.com"


@pytest.mark.parametrize("way", ["reset by the API", "changed by the API", "reset on the page", "changed on the page"])
def test_a_new_password_ends_a_change_of_address_that_waits(
    user, browser, mailoutbox, sign_in, bearer, way: str
) -> None:
    """Whoever was in the account before could else take it back by the link that they were sent."""
    prove_address(user_id=user.pk, email=user.email, now=timezone.now())
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    browser.post("/accounts/email/", {"action_add": "", "email": "mallory@example.com"})
    link = link_of(mailoutbox, "confirm-email/")
    new = "another good phrase 43"
    if way == "reset by the API":
        given = {"key": reset_context(user)["key"], "password": new}
        assert APIClient().post("/api/v1/auth/password/reset", given, format="json").status_code == 204
    elif way == "changed by the API":
        given = {"current_password": PASSWORD, "new_password": new}
        client = bearer(sign_in(user)["access"])
        assert client.post("/api/v1/auth/password/change", given, format="json").status_code == 204
    elif way == "reset on the page":
        page = Client()
        form = page.get(reset_context(user)["password_reset_url"], follow=True).request["PATH_INFO"]
        page.post(form, {"password1": new, "password2": new})
    else:
        browser.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    user.refresh_from_db()
    assert user.check_password(new)
    Client().post(link)
    user.refresh_from_db()
    assert user.email != "mallory@example.com"
    assert list(EmailAddress.objects.filter(user=user).values_list("email", flat=True)) == [user.email]
