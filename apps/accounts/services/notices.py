"""What the messages to people say: one text template each, from which the HTML is made too.

A paragraph of two lines whose second is an address is the thing to do: a button in HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse, set_script_prefix

from apps.accounts.models import OutgoingMail, User
from apps.accounts.services.mail import queue_mail
from apps.common.actors import Actor

_ACTION = re.compile(r"(?P<label>[^\n]+):\n(?P<url>https?://\S+)")


def absolute(name: str, **kwargs: str) -> str:
    """The full address of a page of ours, under ``BASE_URL``: a caller's Host header has no say in it, nor has the
    console of a workspace, whose addresses and prefix are others, when something in it sends a message."""
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        path = reverse(name, urlconf=settings.ROOT_URLCONF, kwargs=kwargs or None)
    finally:
        set_script_prefix(prefix)
    return f"{settings.BASE_URL}{path}"


def send_message(*, kind: str, to: str, context: Mapping[str, Any], now: datetime) -> OutgoingMail | None:
    """Queue the message of the templates ``<kind>_subject.txt`` and ``<kind>_message.txt``.

    Texts of the context are put on one line each: a name can't begin a paragraph, and with it a button, of its own.
    """
    known = {
        **{name: " ".join(value.split()) if isinstance(value, str) else value for name, value in context.items()},
        "platform_url": settings.BASE_URL,
        "recipient": to,
        "sign_in_url": absolute("account_login"),
        "sign_up_url": absolute("account_signup"),
        "forgot_url": absolute("account_reset_password"),
    }
    subject = render_to_string(f"{kind}_subject.txt", known).strip()
    text = render_to_string(f"{kind}_message.txt", known).strip() + "\n"
    text = re.sub(r"\n{3,}", "\n\n", text)
    html = render_to_string("account/email/message.html", {"subject": subject, "blocks": _blocks(text), **known})
    return queue_mail(kind=kind, to=to, subject=subject, text=text, html=html, now=now)


def send_notice(*, kind: str, user: User, actor: Actor, now: datetime, **context: Any) -> OutgoingMail | None:
    """Tell a person what was changed about their account, from where, so that a stranger's change is noticed."""
    known = {"user": user, "at": now, "address": actor.address, **context}
    return send_message(kind=kind, to=user.email, context=known, now=now)


def _blocks(text: str) -> list[dict[str, str]]:
    """The paragraphs of a plain message: ``{label, url}`` for an action, ``{text}`` for the others."""
    blocks = []
    for paragraph in text.strip().split("\n\n"):
        action = _ACTION.fullmatch(paragraph.strip())
        blocks.append(action.groupdict() if action else {"text": paragraph.strip()})
    return blocks
