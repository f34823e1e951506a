"""People for tests."""

from __future__ import annotations

from typing import Any

import factory
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.common.actors import Actor, ActorKind

PASSWORD = "correct horse 42"


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A person with the workspace that everybody gets; ``PASSWORD`` signs them in."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"person{number}@example.com")
    name = factory.Sequence(lambda number: f"Person {number}")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(**{"password": PASSWORD, **kwargs})


def act_as(user: User, **more: Any) -> Actor:
    """The person as who acts, without a request."""
    return Actor(kind=ActorKind.USER, id=user.pk, name=user.name, user_id=user.pk, **more)


def code_of(secret: str, *, steps: int = 0) -> str:
    """What an authenticator app with this secret shows now (or some steps of 30 seconds later)."""
    return str(format_hotp_value(hotp_value(secret, int(timezone.now().timestamp()) // 30 + steps)))


def browser_of(user: User) -> Client:
    """A browser in which they are signed in."""
    browser = Client()
    browser.force_login(user)
    return browser
