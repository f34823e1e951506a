"""Idempotency-Key: the first answer to a POST is kept, and a repeat gets it again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import Q
from rest_framework.response import Response

from apps.common.api import etag
from apps.common.api.problems import respond_with_problem
from apps.common.errors import Conflict, InvalidInput, KeyReused
from apps.common.models import IdempotencyRecord
from apps.common.retention import delete_some, forget_in_batches
from apps.common.tenancy import enter_public

if TYPE_CHECKING:
    from apps.common.api.views import ApiView

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Location", "ETag", "Retry-After")
_OPERATION = "/api/v1/operations/"
#: Answers that say "try again": a repeat must be able to get through.
_NOT_KEPT = frozenset({401, 429})


class StillRunning(Conflict):
    """The first request with this key has not been answered yet; ``retry_after`` is in seconds."""

    code = "idempotency_in_flight"
    detail = "A request with this Idempotency-Key is still running. Repeat it in a moment."
    retry_after = 1.0


Sealer = Callable[[bytes, str], bytes]
_registered: tuple[Sealer, Sealer] | None = None


def set_sealer(seal: Sealer, open_sealed: Sealer) -> None:
    """Whoever keeps secrets tells how answers that bear one are sealed: ``(body, record id) → sealed``, and back."""
    global _registered  # noqa: PLW0603 - one process, one sealer
    _registered = (seal, open_sealed)


def _sealer() -> tuple[Sealer, Sealer]:
    if _registered is None:
        raise ImproperlyConfigured("No sealer is registered; is apps.secrets installed?")
    return _registered


def answer_once(view: ApiView, handler: Callable[..., Response], key: str) -> Callable[..., Response]:
    """``handler``, but run once per caller and key.

    The effect and its answer are one transaction, which holds the key's row locked: a process that dies in between
    leaves neither, and the next repeat runs at once. Actions with transactions of their own hold it by a lease
    instead. Raises InvalidInput for a malformed key, KeyReused when it came with another request, StillRunning while
    the first one runs.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput("Idempotency-Key must be 1 to 255 visible ASCII characters.", code="invalid_idempotency_key")

    def run(request: Any, *args: Any, **kwargs: Any) -> Response:
        by_lease = view.act in view.own_transactions
        with enter_public():
            record = _claim(
                caller=f"{view.actor.kind}:{view.actor.id}",
                key=key,
                fingerprint=_fingerprint(request),
                now=view.now,
                by_lease=by_lease,
            )
        if record.status is not None:
            return _replay(record)
        answer = _answer_by_lease if by_lease else _answer_locked
        try:
            response = answer(view, record, lambda: handler(request, *args, **kwargs))
        except StillRunning:
            raise
        except Exception as error:
            refusal = respond_with_problem(error, request)
            if refusal is None or refusal.status_code >= 500 or refusal.status_code in _NOT_KEPT:
                _forget(record)
                raise
            response = view.handle_exception(error)
            _keep(view, record, response)
        except BaseException:
            _forget(record)
            raise
        return response

    return run


def purge_answers(*, now: datetime) -> int:
    """Delete the answers that are older than ``IDEMPOTENCY_RETENTION``; returns how many."""
    old = IdempotencyRecord.objects.filter(created_at__lt=now - settings.IDEMPOTENCY_RETENTION).order_by("created_at")
    return forget_in_batches("common.answers", lambda limit: delete_some(old, limit)).count


def _answer_locked(view: ApiView, record: IdempotencyRecord, handle: Callable[[], Response]) -> Response:
    with transaction.atomic():
        with enter_public():
            mine = IdempotencyRecord.objects.select_for_update(skip_locked=True).filter(pk=record.pk).first()
        if mine is None:
            raise StillRunning
        if mine.status is not None:
            return _replay(mine)
        response = handle()
        _keep(view, record, response)
        return response


def _answer_by_lease(view: ApiView, record: IdempotencyRecord, handle: Callable[[], Response]) -> Response:
    response = handle()
    _keep(view, record, response)
    return response


def _fingerprint(request: Any) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(json.dumps(request.data, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _claim(*, caller: str, key: str, fingerprint: str, now: datetime, by_lease: bool) -> IdempotencyRecord:
    """The record of this key: a new one, or an earlier one that is answered or may be taken over."""
    locked_until = now + settings.IDEMPOTENCY_LEASE if by_lease else None
    of_key = IdempotencyRecord.objects.filter(caller=caller, key=key)
    for _attempt in range(3):
        try:
            with transaction.atomic():
                return IdempotencyRecord.objects.create(
                    caller=caller, key=key, fingerprint=fingerprint, locked_until=locked_until, created_at=now
                )
        except IntegrityError:
            pass
        of_key.filter(created_at__lt=now - settings.IDEMPOTENCY_RETENTION).delete()
        record = of_key.first()
        if record is not None:
            break
    else:
        raise StillRunning
    if record.fingerprint != fingerprint:
        raise KeyReused
    if record.status is None and by_lease:
        # The process that held it may have died: its lease runs out, and one repeat takes over.
        abandoned = of_key.filter(Q(status=None), Q(locked_until__lt=now) | Q(locked_until=None))
        if not abandoned.update(locked_until=locked_until):
            raise StillRunning
    return record


def _forget(record: IdempotencyRecord) -> None:
    with enter_public():
        IdempotencyRecord.objects.filter(pk=record.pk, status=None).delete()


def _keep(view: ApiView, record: IdempotencyRecord, response: Response) -> None:
    body = view.render(response)
    headers = {name: response[name] for name in _KEPT_HEADERS if response.has_header(name)}
    revision = getattr(response, "revision", None)
    if revision is not None:
        headers["ETag"] = etag.make_etag(revision, body)
    sealed = view.act in view.secret_answers and response.status_code < 400
    if sealed:
        body = _sealer()[0](body, str(record.pk))
    if response.has_header("Content-Type"):
        headers["Content-Type"] = response["Content-Type"]
    elif response.content_type:
        headers["Content-Type"] = response.content_type
    with enter_public():
        IdempotencyRecord.objects.filter(pk=record.pk).update(
            status=response.status_code, headers=headers, body=body, sealed=sealed, locked_until=None
        )


def _replay(record: IdempotencyRecord) -> Response:
    body = bytes(record.body or b"")
    if record.sealed:
        body = _sealer()[1](body, str(record.pk))
    headers = dict(record.headers)
    content_type = headers.pop("Content-Type", None)
    headers["Idempotency-Replayed"] = "true"
    data = json.loads(body) if body else None
    response = Response(data, status=record.status, headers=headers, content_type=content_type)
    location = headers.get("Location", "")
    if record.status == 202 and location.startswith(_OPERATION):
        response.operation_id = UUID(location.removeprefix(_OPERATION))  # type: ignore[attr-defined]
    return response
