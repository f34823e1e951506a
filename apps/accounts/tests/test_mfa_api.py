"""Two-step sign-in by the API."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import OutgoingMail
from apps.accounts.services.addresses import prove_address
from apps.accounts.services.mfa import accept_code
from apps.accounts.tests.factories import PASSWORD, UserFactory, code_of
from apps.audit.models import AuditEvent
from apps.secrets.errors import SealBroken

MFA = "/api/v1/me/mfa"
LOGIN = "/api/v1/auth/login"


def attempt(user, code: str | None = None):
    given = {"email": user.email, "password": PASSWORD, **({"totp": code} if code is not None else {})}
    return APIClient().post(LOGIN, given, format="json")


@pytest.fixture
def client(db, user, sign_in, bearer) -> APIClient:
    prove_address(user_id=user.pk, email=user.email, now=timezone.now())
    return bearer(sign_in(user)["access"])


def test_from_setting_up_to_signing_in_with_a_code_to_turning_off(user, client, time_machine) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    assert client.get(MFA).json() == {
        "totp_active": False,
        "activated_at": None,
        "last_used_at": None,
        "recovery_codes_left": 0,
    }
    begun = client.post(f"{MFA}/totp/setup", {"password": PASSWORD}).json()
    assert begun["otpauth_uri"].startswith("otpauth://totp/")
    assert begun["secret"] in begun["otpauth_uri"]
    assert not Authenticator.objects.exists()
    assert attempt(user).status_code == 200  # nothing is active yet
    code = code_of(begun["secret"])
    done = client.post(f"{MFA}/totp/activate", {"setup": begun["setup"], "code": code})
    assert done.status_code == 200
    recovery = done.json()["recovery_codes"]
    assert len(recovery) == len(set(recovery)) == 10
    assert client.get(MFA).json()["totp_active"] is True
    assert OutgoingMail.objects.filter(to=user.email, kind="mfa/email/totp_activated").exists()

    missing = attempt(user)
    assert (missing.status_code, missing.json()["code"]) == (401, "mfa_required")
    assert (attempt(user, "123").status_code, attempt(user, "123").json()["code"]) == (401, "mfa_invalid")
    assert attempt(user, code).json()["code"] == "mfa_invalid"  # it was spent by the activation
    time_machine.shift(30)
    assert attempt(user, code_of(begun["secret"])).status_code == 200
    assert attempt(user, code_of(begun["secret"])).json()["code"] == "mfa_invalid"
    assert attempt(user, recovery[0]).status_code == 200
    assert attempt(user, recovery[0]).json()["code"] == "mfa_invalid"
    assert client.get(MFA).json()["recovery_codes_left"] == 9

    renewed = client.post(f"{MFA}/recovery-codes", {"password": PASSWORD}).json()["recovery_codes"]
    assert not set(renewed) & set(recovery)
    assert attempt(user, recovery[1]).json()["code"] == "mfa_invalid"
    assert client.post(f"{MFA}/totp/deactivate", {"password": PASSWORD}).status_code == 204
    assert not Authenticator.objects.exists()
    assert attempt(user).status_code == 200
    actions = list(AuditEvent.objects.filter(action__startswith="auth.mfa").values_list("action", flat=True))
    assert sorted(actions) == ["auth.mfa_activated", "auth.mfa_deactivated"]
    assert "auth.recovery_codes_renewed" in AuditEvent.objects.values_list("action", flat=True)


def test_a_missing_key_is_an_outage_with_its_name_and_ends_when_it_is_back(user, with_totp, settings) -> None:
    present = settings.SECRETS_KEYS
    secret, _ = with_totp(user)
    settings.SECRETS_KEYS = ["other:" + base64.b64encode(b"other---" * 4).decode()]
    refused = attempt(user, code_of(secret))
    assert (refused.status_code, refused.json()["code"]) == (503, "sealing_key_missing")
    assert "'test'" in refused.json()["detail"]
    settings.SECRETS_KEYS = present
    assert attempt(user, code_of(secret)).status_code == 200


def test_a_wrong_password_does_not_tell_that_a_code_would_be_needed(user, with_totp) -> None:
    with_totp(user)
    response = APIClient().post(LOGIN, {"email": user.email, "password": "not this one"})
    assert response.json()["code"] == "invalid_credentials"


def test_changes_ask_for_the_password(user, client, with_totp) -> None:
    for path in ("totp/setup", "totp/deactivate", "recovery-codes"):
        wrong = client.post(f"{MFA}/{path}", {"password": "not this one"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "password_wrong")
        assert client.post(f"{MFA}/{path}", {}).status_code == 400


def test_what_is_not_active_can_not_be_turned_off_nor_on_twice(user, client, with_totp) -> None:
    for path in ("totp/deactivate", "recovery-codes"):
        refused = client.post(f"{MFA}/{path}", {"password": PASSWORD})
        assert (refused.status_code, refused.json()["code"]) == (409, "mfa_not_active")
    with_totp(user)
    refused = client.post(f"{MFA}/totp/setup", {"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "mfa_already_active")


def test_an_address_that_nobody_proved_is_not_locked(user, sign_in, bearer) -> None:
    refused = bearer(sign_in(user)["access"]).post(f"{MFA}/totp/setup", {"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "email_not_verified")


def test_a_set_up_is_one_persons_and_for_a_quarter_of_an_hour(
    user, client, make_user, sign_in, bearer, time_machine
) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    begun = client.post(f"{MFA}/totp/setup", {"password": PASSWORD}).json()
    other = make_user()
    stolen = bearer(sign_in(other)["access"]).post(
        f"{MFA}/totp/activate", {"setup": begun["setup"], "code": code_of(begun["secret"])}
    )
    assert (stolen.status_code, stolen.json()["errors"][0]["pointer"]) == (400, "/setup")
    wrong = client.post(f"{MFA}/totp/activate", {"setup": begun["setup"], "code": "000000"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/code")
    time_machine.shift(16 * 60)
    late = client.post(f"{MFA}/totp/activate", {"setup": begun["setup"], "code": code_of(begun["secret"])})
    assert (late.status_code, late.json()["errors"][0]["pointer"]) == (400, "/setup")
    nonsense = client.post(f"{MFA}/totp/activate", {"setup": "nonsense", "code": "000000"})
    assert nonsense.status_code == 400


def test_clocks_may_differ_by_one_step_and_no_more(user, with_totp, time_machine) -> None:
    time_machine.move_to("2026-05-01T12:00:00Z", tick=False)
    secret, _ = with_totp(user)
    assert accept_code(user=user, code=code_of(secret, steps=2), now=timezone.now()) is None
    assert accept_code(user=user, code=code_of(secret, steps=1), now=timezone.now()) is not None
    assert accept_code(user=user, code=code_of(secret), now=timezone.now()) is None  # older than the last used


def test_secrets_are_sealed_and_bound_to_their_person(user, with_totp, make_user) -> None:
    secret, codes = with_totp(user)
    stored = {entry.type: entry.data for entry in Authenticator.objects.filter(user=user)}
    assert secret not in str(stored)
    assert not any(code in str(stored) for code in codes)
    thief = make_user()
    Authenticator.objects.filter(user=user).update(user=thief)
    with pytest.raises(SealBroken):
        list(Authenticator.objects.filter(user=thief))
    moved = stored["totp"]["secret"].replace(str(user.pk), str(thief.pk))
    Authenticator.objects.filter(user=thief, type="totp").update(data={"secret": moved})
    with pytest.raises(SealBroken):
        accept_code(user=thief, code=code_of(secret), now=timezone.now())


def test_one_code_in_two_requests_at_once_signs_in_once(committed_database, with_totp_committed) -> None:
    person, secret = with_totp_committed
    code, start = code_of(secret), Barrier(4)

    def one() -> int:
        try:
            start.wait()
            return attempt(person, code).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.result() for answer in [pool.submit(one) for _ in range(4)])
    assert statuses == [200, 401, 401, 401]


@pytest.fixture
def with_totp_committed(committed_database, with_totp):
    person = UserFactory()
    return person, with_totp(person)[0]
