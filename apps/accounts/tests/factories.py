"""People for tests."""

from __future__ import annotations

from typing import Any

import factory

from apps.accounts.models import User

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
