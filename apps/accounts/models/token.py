"""Refresh tokens, one row each."""

from __future__ import annotations

from django.db import models

from apps.common.models import UUIDModel


class RefreshToken(UUIDModel):
    """A refresh token that was issued. Spent once; a second use ends the session, which is its family."""

    jti = models.CharField(max_length=64, unique=True)
    session_key = models.CharField(max_length=40)
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="refresh_tokens")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["session_key"], name="refresh_token_family"),
            models.Index(fields=["expires_at"], name="refresh_token_expiry"),
        ]

    def __str__(self) -> str:
        return self.jti
