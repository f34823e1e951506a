import uuid

from django.db import models


class App(models.Model):
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
        app_label = "shop"

    def __str__(self) -> str:
        return self.slug


class Key(models.Model):
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    is_authenticated = True

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.prefix
