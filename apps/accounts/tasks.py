"""Accounts' work for workers."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.accounts.services import mail, retention


@shared_task(name="accounts.deliver_mail")
def deliver_mail(mail_id: str) -> None:
    """Send one queued message."""
    mail.deliver_mail(mail_id=UUID(mail_id), now=timezone.now())


@shared_task(name="accounts.deliver_due_mail")
def deliver_due_mail() -> None:
    """Send what the wake-ups missed."""
    mail.deliver_due_mail(now=timezone.now())


@shared_task(name="accounts.clear_expired")
def clear_expired() -> None:
    """Take away expired sessions, tokens and messages."""
    retention.clear_expired(now=timezone.now())
