"""Registering people, proving addresses, and forgotten passwords: the services and their endpoints."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.errors import EmailTaken, TooManyAttempts
from apps.accounts.models import OutgoingMail, User
from apps.accounts.selectors import user_profile
from apps.accounts.services.mail import deliver_due_mail
from apps.accounts.services.registration import register_user
from apps.accounts.signals import email_verified
from apps.accounts.tests.factories import PASSWORD
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM, Actor, ActorKind
from apps.common.errors import InvalidInput
from apps.events.models import Event
from apps.events.services import event_catalogue

pytestmark = pytest.mark.django_db
VISITOR = Actor(kind=ActorKind.VISITOR, address="198.51.100.1", request_id="r1")


def register(**fields) -> User:
    given = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "actor": SYSTEM, "now": timezone.now()}
    return register_user(**{**given, **fields})


def key_in(mail) -> str:
    return re.search(r"this key instead: (\S+)", mail.body)[1]


def test_registering_writes_the_person_the_trail_the_event_and_the_mail() -> None:
    ada = register(email=" Ada@Example.COM ", actor=VISITOR)
    assert (ada.email, ada.name, ada.check_password(PASSWORD)) == ("ada@example.com", "Ada", True)
    assert user_profile(ada).email_verified is False
    assert OutgoingMail.objects.filter(to="ada@example.com").count() == 1
    event = Event.objects.get(type="user.registered", data__user=str(ada.pk))
    assert event.data["email"] == "ada@example.com"
    trail = AuditEvent.objects.get(action="user.registered", target_id=str(ada.pk))
    assert (trail.actor_id, trail.address, trail.request_id) == (ada.pk, "198.51.100.1", "r1")
    assert {"user.registered", "user.email_verified", "user.erased"} <= set(event_catalogue())


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("ADA@EXAMPLE.COM", "ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ａｄａ@example.com", "ada@example.com"),
        ("ada+lists@example.com", "ada+lists@example.com"),
    ],
)
def test_addresses_are_kept_in_one_form_and_signed_in_with_in_any(email, kept) -> None:
    assert register(email=email).email == kept
    assert APIClient().post("/api/v1/auth/login", {"email": email, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("", "invalid_email"),
        ("ada", "invalid_email"),
        ("@example.com", "invalid_email"),
        ("ada@", "invalid_email"),
        ("ada@example", "invalid_email"),
        ("a b@example.com", "invalid_email"),
        ("ada@exa mple.com", "invalid_email"),
        ("ada@\ud83d.com", "invalid_email"),
        ("\x00ada@example.com", "invalid_email"),
        (f"{'a' * 250}@example.com", "invalid_email"),
        ("ada@mailinator.com", "disposable_email"),
        ("ada@sub.YOPMAIL.com", "disposable_email"),
    ],
)
def test_addresses_that_can_not_be_are_refused_at_the_field(email, code) -> None:
    with pytest.raises(InvalidInput) as refusal:
        register(email=email)
    assert [(error.pointer, error.code) for error in refusal.value.errors] == [("/email", code)]


def test_every_fault_is_told_at_once_with_the_validators_words() -> None:
    with pytest.raises(InvalidInput) as refusal:
        register(email="nonsense", password="12345", name="x" * 151)
    told = {(error.pointer, error.code) for error in refusal.value.errors}
    assert {("/email", "invalid_email"), ("/name", "too_long")} <= told
    assert {code for pointer, code in told if pointer == "/password"} >= {
        "password_too_short",
        "password_too_common",
        "password_entirely_numeric",
    }
    assert any("10 characters" in error.detail for error in refusal.value.errors)


def test_a_password_like_the_address_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        register(email="adalovelace@example.com", password="adalovelace")
    assert refusal.value.errors[0].code == "password_too_similar"


def test_an_address_is_registered_once(user) -> None:
    for email in (user.email, user.email.upper()):
        with pytest.raises(EmailTaken):
            register(email=email)
    assert User.objects.filter(email=user.email).count() == 1


def test_registration_is_limited_for_a_callers_address(settings) -> None:
    settings.RATE_REGISTRATION = "2/3600"
    caller = Actor(kind=ActorKind.VISITOR, address="198.51.100.77")
    for number in range(2):
        register(email=f"a{number}@example.com", actor=caller)
    with pytest.raises(TooManyAttempts) as refusal:
        register(email="a3@example.com", actor=caller)
    assert 3000 < refusal.value.retry_after <= 3600
    register(email="a4@example.com", actor=Actor(kind=ActorKind.VISITOR, address="198.51.100.78"))


def test_an_invited_persons_address_is_proved_already() -> None:
    ada = register(email_verified=True)
    assert user_profile(ada).email_verified is True
    assert not OutgoingMail.objects.filter(to=ada.email).exists()
    assert Event.objects.filter(type="user.email_verified").count() == 1


def test_an_operator_is_made_by_the_command(db) -> None:
    call_command("createsuperuser", email="Op@Example.com", interactive=False, verbosity=0)
    operator = User.objects.get(email="op@example.com")
    assert operator.is_staff
    assert operator.is_superuser
    assert user_profile(operator).email_verified
    assert Event.objects.filter(type="user.registered", data__user=str(operator.pk)).exists()


def test_the_key_of_the_mail_proves_the_address(mailoutbox) -> None:
    heard = []
    listener = lambda user, email, **kwargs: heard.append(email)  # noqa: E731
    email_verified.connect(listener)
    ada = register()
    deliver_due_mail(now=timezone.now())
    mail = mailoutbox[0]
    key = key_in(mail)
    assert f"http://127.0.0.1:8000/accounts/confirm-email/{key}/" in mail.body
    for _ in range(2):  # the same key may come again
        response = APIClient().post("/api/v1/auth/verify-email", {"key": key})
        assert (response.status_code, response.json()["email_verified"]) == (200, True)
    assert heard == ["ada@example.com"]
    email_verified.disconnect(listener)
    assert Event.objects.filter(type="user.email_verified", data__user=str(ada.pk)).count() == 1
    assert AuditEvent.objects.filter(action="user.email_verified").count() == 1


@pytest.mark.parametrize("key", ["", "x", "Mg:abc:def", "a" * 300])
def test_a_key_that_is_none_is_refused(db, key) -> None:
    response = APIClient().post("/api/v1/auth/verify-email", {"key": key})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/key"


def test_the_key_runs_out_after_three_days(mailoutbox, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:00Z")
    register()
    deliver_due_mail(now=timezone.now())
    time_machine.shift(3 * 86400 + 60)
    response = APIClient().post("/api/v1/auth/verify-email", {"key": key_in(mailoutbox[0])})
    assert (response.status_code, response.json()["code"]) == (400, "key_invalid")


def test_a_forgotten_password_is_replaced_by_the_key(user, sign_in, bearer, mailoutbox) -> None:
    body = sign_in(user)
    assert APIClient().post("/api/v1/auth/password/forgot", {"email": user.email.upper()}).status_code == 204
    deliver_due_mail(now=timezone.now())
    given = {"key": key_in(mailoutbox[-1]), "password": "a new horse 43"}
    weak = APIClient().post("/api/v1/auth/password/reset", {**given, "password": "short"})
    assert (weak.status_code, weak.json()["errors"][0]["pointer"]) == (400, "/password")
    assert APIClient().post("/api/v1/auth/password/reset", given).status_code == 204
    assert bearer(body["access"]).get("/api/v1/me").status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": body["refresh"]}).status_code == 401
    sign_in(user, password="a new horse 43")
    again = APIClient().post("/api/v1/auth/password/reset", given)
    assert (again.status_code, again.json()["code"]) == (400, "key_invalid")
    assert AuditEvent.objects.filter(action="auth.password_reset").exists()


@pytest.mark.parametrize("key", ["", "x", "x-y", "0191-abc-def", f"{'0' * 32}-abc-def"])
def test_a_reset_key_that_is_none_is_refused(db, key) -> None:
    response = APIClient().post("/api/v1/auth/password/reset", {"key": key, "password": "a new horse 43"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/key"


def test_forgetting_answers_and_works_the_same_for_unknown_addresses(user, mailoutbox, monkeypatch) -> None:
    known = APIClient().post("/api/v1/auth/password/forgot", {"email": user.email})
    unknown = APIClient().post("/api/v1/auth/password/forgot", {"email": "nobody@example.com"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (204, b"")
    deliver_due_mail(now=timezone.now())
    assert {mail.to[0]: mail.subject for mail in mailoutbox} == {
        user.email: "Choose a new password",
        "nobody@example.com": "No account with this address",
    }


def test_a_deactivated_person_gets_no_new_password(user, mailoutbox) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    APIClient().post("/api/v1/auth/password/forgot", {"email": user.email})
    assert not OutgoingMail.objects.filter(kind="account/email/password_reset_key").exists()


def test_an_unproved_new_address_of_somebody_else_does_not_block_its_owner(user, make_user) -> None:
    """Who merely asks for an address has no claim on it."""
    EmailAddress.objects.create(user=user, email="ada@example.com", verified=False, primary=False)
    assert register().email == "ada@example.com"
