"""The rows that the platform's read and list return, and a key to read them with."""

import uuid

from django.db import models


class Key(models.Model):
    """A program's key; found by its prefix, compared by its hash."""

    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return self.prefix

    is_authenticated = True


class Use(models.Model):
    """A use that a program reports: a row, counted once by its key."""

    idempotency_key = models.CharField(max_length=200, unique=True)
    amount = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return self.idempotency_key


class App(models.Model):
    """The columns of the platform's App that its API shows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    slug = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=1000, blank=True)
    origin = models.CharField(max_length=10)
    status = models.CharField(max_length=12)
    draft_revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "plain"
        indexes = [models.Index(fields=["-created_at", "-id"], name="plain_newest_first")]

    def __str__(self) -> str:
        return self.slug
