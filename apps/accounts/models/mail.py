"""Mail on its way."""

from __future__ import annotations

from django.db import models

from apps.common.models import UUIDModel


class OutgoingMail(UUIDModel):
    """A message, written in the transaction of what it tells of, sent by a worker after the commit.

    The content is sealed, because many bear a key, and gone once the message is sent.
    """

    kind = models.CharField(max_length=80, help_text="Which message: the prefix of its templates.")
    to = models.EmailField()
    sealed = models.TextField(blank=True)
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty when sent or given up.")
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(next_attempt_at__isnull=False), name="mail_to_send"
            ),
            models.Index(fields=["to", "kind", "created_at"], name="mail_by_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"
