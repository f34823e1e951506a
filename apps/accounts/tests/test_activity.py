"""Shutting a person out, and letting them in again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.errors import AlreadyErased, LastOperator
from apps.accounts.models import User
from apps.accounts.services.activity import deactivate_person, reactivate_person
from apps.accounts.services.personal_data import erase_person
from apps.accounts.tests.factories import PASSWORD, act_as, browser_of
from apps.audit.models import AuditEvent
from apps.common.actors import SYSTEM

pytestmark = pytest.mark.django_db


def shut_out(user: User) -> None:
    deactivate_person(user_id=user.pk, reason="Spam", actor=SYSTEM, now=timezone.now())


def test_deactivated_person_is_out_at_once_and_comes_back(user: Any, sign_in: Any, bearer: Any) -> None:
    tokens = sign_in(user)
    shut_out(user)
    assert bearer(tokens["access"]).get("/api/v1/me").status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}, format="json").status_code == 401
    given = {"email": user.email, "password": PASSWORD}
    refused = APIClient().post("/api/v1/auth/login", given, format="json")
    assert (refused.status_code, refused.json()["code"]) == (401, "account_inactive")
    reactivate_person(user_id=user.pk, reason="A mistake", actor=SYSTEM, now=timezone.now())
    assert bearer(sign_in(user)["access"]).get("/api/v1/me").status_code == 200
    trail = AuditEvent.objects.filter(target_id=str(user.pk), action__in=("user.deactivated", "user.reactivated"))
    assert {event.action: event.changes["reason"] for event in trail} == {
        "user.deactivated": "Spam",
        "user.reactivated": "A mistake",
    }


def test_last_operator_stays(make_user: Callable[..., Any]) -> None:
    User.objects.filter(is_staff=True).update(is_staff=False)
    first = make_user(is_staff=True)
    with pytest.raises(LastOperator):
        shut_out(first)
    second = make_user(is_staff=True)
    shut_out(first)
    with pytest.raises(LastOperator):
        shut_out(second)


def test_erased_person_does_not_come_back(make_user: Callable[..., Any]) -> None:
    user = make_user()
    erase_person(user=user, actor=act_as(user), now=timezone.now())
    with pytest.raises(AlreadyErased):
        reactivate_person(user_id=user.pk, reason="Asked", actor=SYSTEM, now=timezone.now())


def test_operator_does_it_in_the_console_and_others_cannot(make_user: Callable[..., Any]) -> None:
    person, operator = make_user(), make_user(is_staff=True)
    page = f"/admin/accounts/user/{person.pk}/act/deactivate/"
    assert browser_of(person).post(page, {"reason": "Fun"}).status_code in {302, 403}
    assert browser_of(operator).post(page, {"reason": ""}).status_code == 200
    person.refresh_from_db()
    assert person.is_active
    assert browser_of(operator).post(page, {"reason": "Spam"}).status_code == 302
    person.refresh_from_db()
    assert not person.is_active
