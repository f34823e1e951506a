"""People."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models, transaction
from django.db.models.functions import Lower

from apps.common.models import TimestampedModel


class UserManager(BaseUserManager["User"]):
    """Finds and makes people by their address, without case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A row for a person. Whoever listens to its ``post_save`` makes the workspace that everyone gets."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def bulk_create(self, objs: Iterable[User], *args: Any, **kwargs: Any) -> list[User]:
        """One by one, in one transaction: everybody gets what everybody gets, however they were made."""
        people = list(objs)
        with transaction.atomic(using=self._db):
            for person in people:
                person.save(using=self._db, force_insert=True)
        return people

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """An operator; here staff and superuser are the same."""
        return self.create_user(email, password, is_staff=True, **fields)


class User(AbstractBaseUser, TimestampedModel):
    """A person. Signing in never writes this row; people are deactivated, never deleted."""

    last_login = None

    email = models.EmailField(
        unique=True, error_messages={"unique": "Somebody with this address is registered already."}
    )
    name = models.CharField(max_length=150, blank=True)
    locale = models.CharField(max_length=16, default="en")
    time_zone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("operator", default=False, help_text="May work in the platform's console.")
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """In one transaction with what listeners do: nobody is without what everybody gets."""
        with transaction.atomic(savepoint=False):
            super().save(*args, **kwargs)

    @property
    def is_superuser(self) -> bool:
        """Django and its add-ons ask; the platform knows one kind of operator."""
        return self.is_staff

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """The platform's console asks this; a workspace's asks the permission codes instead."""
        return self.is_active and self.is_staff

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff


class LastSeen(models.Model):
    """When a person was last here; apart from the person's row, which signing in never writes."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="last_seen")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id} {self.at:%Y-%m-%d}"
