"""Mail: queued with what it tells of, sent once, tried again."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from celery import current_app
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail as django_mail
from django.core.mail.backends.locmem import EmailBackend
from django.urls import get_script_prefix, set_script_prefix, set_urlconf
from django.utils import timezone

from apps.accounts.models import OutgoingMail, RefreshToken
from apps.accounts.services.mail import deliver_due_mail, deliver_mail, queue_mail
from apps.accounts.services.notices import absolute, send_message
from apps.accounts.services.retention import clear_expired
from apps.accounts.tasks import deliver_mail as deliver_task

pytestmark = pytest.mark.django_db


def queue(**fields):
    given = {"kind": "test", "to": "a@example.com", "subject": "Hi\nthere", "text": "secret-key", "now": timezone.now()}
    return queue_mail(**{**given, **fields})


def test_a_message_is_sealed_while_it_waits_and_gone_when_it_left(mailoutbox) -> None:
    queued = queue(html="<p>secret-key</p>")
    assert "secret-key" not in queued.sealed
    assert deliver_mail(mail_id=queued.pk, now=timezone.now()) is True
    assert (mailoutbox[0].subject, mailoutbox[0].body, mailoutbox[0].to) == (
        "Hi there",
        "secret-key",
        ["a@example.com"],
    )
    assert mailoutbox[0].alternatives[0].mimetype == "text/html"
    queued.refresh_from_db()
    assert (queued.sealed, queued.next_attempt_at) == ("", None)
    assert queued.sent_at is not None
    deliver_task(str(queued.pk))
    assert deliver_due_mail(now=timezone.now()) == 0
    assert len(mailoutbox) == 1


def test_it_is_handed_to_a_worker_after_the_commit(monkeypatch, django_capture_on_commit_callbacks) -> None:
    sent = []
    # On the class: undone on the application itself, the patch would leave an attribute of its own behind.
    application = type(current_app._get_current_object())
    monkeypatch.setattr(application, "send_task", lambda self, name, **kwargs: sent.append((name, kwargs)))
    with django_capture_on_commit_callbacks(execute=True):
        queued = queue()
        assert sent == []
    assert sent[0][0] == "accounts.deliver_mail"
    assert sent[0][1]["kwargs"] == {"mail_id": str(queued.pk)}


def test_a_mail_server_that_fails_is_asked_again_with_pauses_for_a_day(monkeypatch, mailoutbox) -> None:
    def refuse(self, messages):
        raise ConnectionRefusedError("no mail server here")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    start = timezone.now()
    queued = queue(now=start)
    assert deliver_due_mail(now=start) == 0
    queued.refresh_from_db()
    assert (queued.attempts, queued.next_attempt_at) == (1, start + timedelta(minutes=1))
    assert "no mail server" in queued.error
    assert deliver_due_mail(now=start + timedelta(seconds=30)) == 0
    queued.refresh_from_db()
    assert queued.attempts == 1  # not due yet
    deliver_due_mail(now=start + timedelta(minutes=1))
    queued.refresh_from_db()
    assert queued.next_attempt_at == start + timedelta(minutes=3)
    monkeypatch.undo()
    assert deliver_due_mail(now=start + timedelta(minutes=3)) == 1
    assert len(django_mail.outbox) == 1


def test_it_is_given_up_after_a_day(monkeypatch) -> None:
    def refuse(self, messages):
        raise ConnectionRefusedError("no mail server here")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    queued = queue(now=timezone.now() - timedelta(days=1, minutes=1))
    deliver_due_mail(now=timezone.now())
    queued.refresh_from_db()
    assert (queued.next_attempt_at, queued.sealed, queued.sent_at) == (None, "", None)


def test_a_missing_key_holds_up_its_own_mail_only_until_it_is_back(settings, mailoutbox) -> None:
    present = settings.SECRETS_KEYS
    lost = ["lost:" + base64.b64encode(b"lost" * 8).decode()]
    now = timezone.now()
    settings.SECRETS_KEYS = lost
    held = queue(to="held@example.com", now=now)
    settings.SECRETS_KEYS = present
    queue(to="free@example.com", now=now)
    assert deliver_due_mail(now=now) == 1
    assert [message.to for message in mailoutbox] == [["free@example.com"]]
    held.refresh_from_db()
    assert "'lost'" in held.error
    settings.SECRETS_KEYS = [*present, *lost]
    assert deliver_due_mail(now=held.next_attempt_at) == 1
    assert mailoutbox[-1].to == ["held@example.com"]


def test_an_address_gets_so_many_of_a_kind_in_an_hour(settings) -> None:
    settings.MAIL_PER_ADDRESS = 2
    assert [queue() is None for _ in range(3)] == [False, False, True]
    assert queue(kind="other") is not None
    assert queue(to="b@example.com") is not None
    assert queue(now=timezone.now() + timedelta(hours=2)) is not None


def test_a_message_says_the_same_in_text_and_html_and_trusts_nobody(user, mailoutbox) -> None:
    user.name = "<b>Ada</b> & co"
    context = {"user": user, "key": "k", "activate_url": "http://127.0.0.1:8000/accounts/confirm-email/k/"}
    send_message(kind="account/email/email_confirmation", to=user.email, context=context, now=timezone.now())
    deliver_due_mail(now=timezone.now())
    text, html = mailoutbox[0].body, mailoutbox[0].alternatives[0].content
    assert "Hello <b>Ada</b> & co," in text
    assert "Confirm your address:\nhttp://127.0.0.1:8000/accounts/confirm-email/k/" in text
    assert "&lt;b&gt;Ada&lt;/b&gt; &amp; co" in html
    assert 'href="http://127.0.0.1:8000/accounts/confirm-email/k/"' in html
    assert ">Confirm your address</a>" in html


def test_what_has_run_out_is_taken_away(user, sign_in) -> None:
    sign_in(user)
    queue()
    assert sum(clear_expired(now=timezone.now()).values()) == 0
    later = timezone.now() + timedelta(days=60)
    OutgoingMail.objects.update(next_attempt_at=None)
    clear_expired(now=later)
    for model in (Session, UserSession, RefreshToken, OutgoingMail):
        assert not model.objects.exists(), model


def test_addresses_are_the_platforms_in_a_workspaces_console_too() -> None:
    set_urlconf("config.urls_workspace_console")
    set_script_prefix("/admin/w/team/")
    try:
        assert absolute("account_login") == f"{settings.BASE_URL}/accounts/login/"
        assert get_script_prefix() == "/admin/w/team/"
    finally:
        set_urlconf(None)
        set_script_prefix("/")
