"""The e-mail that brings an invitation: sent by a worker, at least once, tried again while it can be accepted."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template.loader import render_to_string

from apps.common.queue import enqueue
from apps.secrets.services import open_value
from apps.workspaces.models import Invitation
from apps.workspaces.services.invitations import SEALED_FIELD, SEALED_MODEL

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=6)


def send_invitation(*, invitation_id: UUID, now: datetime) -> bool:
    """Send the mail of an invitation that is open and unsent, and forget its token; tells whether it left.

    A claim keeps others from sending it too; whoever dies holding one, or can't reach the mail server, leaves the
    mail to the sweep, after a pause that doubles each time.
    """
    invitation = (
        Invitation.objects.to_send(now)
        .select_related("workspace", "role", "invited_by")
        .filter(pk=invitation_id)
        .first()
    )
    if invitation is None or not _claim(invitation, now=now):
        return False
    token = open_value(invitation.sealed_token, model=SEALED_MODEL, key=str(invitation.pk), field=SEALED_FIELD).decode()
    try:
        compose_invitation(invitation, token=token).send()
    except OSError as error:
        # Whatever a mail server or the way to it does wrong is an OSError (smtplib's errors are, too).
        log.warning("invitation_not_sent", invitation=str(invitation.pk), error=str(error))
        return False
    Invitation.objects.filter(pk=invitation.pk).update(sent_at=now, sealed_token="")
    return True


def send_waiting_invitations(*, now: datetime) -> int:
    """Wake a worker for each mail that hasn't left yet; returns for how many."""
    waiting = list(Invitation.objects.to_send(now).order_by("send_after").values_list("pk", flat=True)[:200])
    for identifier in waiting:
        enqueue("workspaces.send_invitation", invitation_id=identifier)
    return len(waiting)


def compose_invitation(invitation: Invitation, *, token: str) -> EmailMultiAlternatives:
    """The mail with the link, as text and as HTML."""
    workspace = invitation.workspace
    inviter = invitation.invited_by
    facts = {
        "workspace": workspace.display_name or workspace.name,
        "inviter": inviter.get_full_name() if inviter else "",
        "role": invitation.role.name,
        "link": accept_link(token),
        "expires_at": invitation.expires_at,
        "email": invitation.email,
    }
    message = EmailMultiAlternatives(
        subject=" ".join(render_to_string("workspaces/mail/invitation_subject.txt", facts).split()),
        body=render_to_string("workspaces/mail/invitation.txt", facts),
        to=[invitation.email],
    )
    message.attach_alternative(render_to_string("workspaces/mail/invitation.html", facts), "text/html")
    return message


def accept_link(token: str) -> str:
    """Where the invited person goes."""
    return f"{settings.BASE_URL}/invitations/accept?token={token}"


def _claim(invitation: Invitation, *, now: datetime) -> bool:
    pause = min(_FIRST_PAUSE * 2 ** min(invitation.send_attempts, 12), _LONGEST_PAUSE)
    claimed = Invitation.objects.to_send(now).filter(pk=invitation.pk, send_attempts=invitation.send_attempts)
    return bool(claimed.update(send_after=now + pause, send_attempts=F("send_attempts") + 1))
