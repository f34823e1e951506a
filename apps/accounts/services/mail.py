"""Mail to people: queued with what it tells of, sent by a worker, tried again for a day.

A request never waits for a mail server, and takes as long whether or not an address is known.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from apps.accounts.models import OutgoingMail
from apps.common.queue import enqueue
from apps.secrets.services import open_value, seal_value

log = structlog.get_logger(__name__)

_DELIVER = "accounts.deliver_mail"


def queue_mail(*, kind: str, to: str, subject: str, text: str, html: str = "", now: datetime) -> OutgoingMail | None:
    """Write a message in the present transaction; it leaves after the commit.

    Of one kind an address gets at most ``MAIL_PER_ADDRESS`` in an hour; None when this one was left out for that.
    """
    lately = OutgoingMail.objects.filter(to=to, kind=kind, created_at__gt=now - timedelta(hours=1)).count()
    if lately >= settings.MAIL_PER_ADDRESS:
        log.warning("mail_held_back", kind=kind)
        return None
    mail = OutgoingMail(kind=kind, to=to, created_at=now, next_attempt_at=now)
    content = json.dumps({"subject": " ".join(subject.split()), "text": text, "html": html}).encode()
    mail.sealed = seal_value(content, model="accounts.OutgoingMail", key=str(mail.pk), field="sealed")
    mail.save(force_insert=True)
    enqueue(_DELIVER, mail_id=mail.pk)
    return mail


def deliver_mail(*, mail_id: UUID, now: datetime) -> bool:
    """Send one message that is due; whether it left. Safe to repeat: two workers never send the same one.

    A worker that dies between the mail server's yes and the commit sends it once more: mail is at least once.
    """
    claimed = _claim(mail_id, now)
    if claimed is None:
        return False
    try:
        _opened(claimed).send()
    except Exception as error:  # noqa: BLE001
        # Whatever the backend raises (refused, unreachable, TLS), or a key that is missing: it stays due, or is given
        # up after a day, and the others don't wait for it.
        log.warning("mail_not_sent", kind=claimed.kind, attempt=claimed.attempts, error=str(error))
        _note_failure(claimed, error, now)
        return False
    OutgoingMail.objects.filter(pk=claimed.pk).update(sent_at=now, next_attempt_at=None, sealed="", error="")
    return True


def deliver_due_mail(*, now: datetime, limit: int = 100) -> int:
    """What the wake-ups missed (a broker that was down, a worker that died); returns how many left."""
    due = OutgoingMail.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    return sum(deliver_mail(mail_id=pk, now=now) for pk in due.values_list("pk", flat=True)[:limit])


def _claim(mail_id: UUID, now: datetime) -> OutgoingMail | None:
    """Take a due message for this attempt: the next one is only due after the back-off."""
    with transaction.atomic():
        mail = (
            OutgoingMail.objects.select_for_update(skip_locked=True)
            .filter(pk=mail_id, next_attempt_at__lte=now)
            .first()
        )
        if mail is None:
            return None
        mail.attempts += 1
        mail.next_attempt_at = now + min(settings.MAIL_BACKOFF_BASE * 2 ** (mail.attempts - 1), timedelta(hours=2))
        mail.save(update_fields=["attempts", "next_attempt_at"])
        return mail


def _opened(mail: OutgoingMail) -> EmailMultiAlternatives:
    content = json.loads(open_value(mail.sealed, model="accounts.OutgoingMail", key=str(mail.pk), field="sealed"))
    message = EmailMultiAlternatives(content["subject"], content["text"], settings.DEFAULT_FROM_EMAIL, [mail.to])
    if content["html"]:
        message.attach_alternative(content["html"], "text/html")
    return message


def _note_failure(mail: OutgoingMail, error: Exception, now: datetime) -> None:
    fields: dict[str, object] = {"error": f"{type(error).__name__}: {error}"[:300]}
    if now - mail.created_at > settings.MAIL_GIVE_UP:
        fields |= {"next_attempt_at": None, "sealed": ""}
    OutgoingMail.objects.filter(pk=mail.pk).update(**fields)
