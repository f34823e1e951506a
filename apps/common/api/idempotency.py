"""Idempotency-Key: the first answer to a POST is kept, and a repeat gets it again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from rest_framework.response import Response

from apps.common.errors import Conflict, InvalidInput, KeyReused
from apps.common.models import IdempotencyRecord
from apps.common.tenancy import enter_public

if TYPE_CHECKING:
    from apps.common.api.views import ApiView

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Location", "ETag")
#: Answers that a repeat should not get: they depend on the moment, not on the request.
_NOT_KEPT = frozenset({401, 409, 429})


class StillRunning(Conflict):
    """The first request with this key has not been answered yet."""

    code = "idempotency_in_flight"
    detail = "A request with this Idempotency-Key is still running. Repeat it in a moment."


Sealer = Callable[[bytes, str], bytes]
_seal: Sealer | None = None
_open: Sealer | None = None


def set_sealer(seal: Sealer, open_sealed: Sealer) -> None:
    """Whoever keeps secrets tells how answers that bear one are sealed: ``(body, record id) → sealed``, and back."""
    global _seal, _open
    _seal, _open = seal, open_sealed


def answer_once(view: ApiView, handler: Callable[..., Response], key: str) -> Callable[..., Response]:
    """``handler``, but run once per caller and key.

    The effect and its answer are one transaction: a process that dies in between leaves neither. Raises InvalidInput
    for a malformed key, KeyReused when it came with another request, StillRunning while the first one runs.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput("Idempotency-Key must be 1 to 255 visible ASCII characters.", code="invalid_idempotency_key")

    def run(request: Any, *args: Any, **kwargs: Any) -> Response:
        caller = f"{view.actor.kind}:{view.actor.id}"
        fingerprint = _fingerprint(request)
        with enter_public():
            record = _claim(caller=caller, key=key, fingerprint=fingerprint, now=view.now)
        if record.status is not None:
            return _replay(record)
        try:
            return _answer(view, handler, record, request, *args, **kwargs)
        except BaseException:
            with enter_public():
                IdempotencyRecord.objects.filter(pk=record.pk, status=None).delete()
            raise

    return run


def _answer(
    view: ApiView, handler: Callable[..., Response], record: IdempotencyRecord, request: Any, *args: Any, **kwargs: Any
) -> Response:
    try:
        with transaction.atomic():
            response = handler(request, *args, **kwargs)
            _keep(view, record, response)
            return response
    except Exception as error:
        response = view.handle_exception(error)
        if response.status_code >= 500 or response.status_code in _NOT_KEPT:
            raise
        _keep(view, record, response)
        return response


def _fingerprint(request: Any) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(json.dumps(request.data, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _claim(*, caller: str, key: str, fingerprint: str, now: datetime) -> IdempotencyRecord:
    locked_until = now + settings.IDEMPOTENCY_LEASE
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(
                caller=caller, key=key, fingerprint=fingerprint, locked_until=locked_until, created_at=now
            )
    except IntegrityError:
        pass
    expired = IdempotencyRecord.objects.filter(
        caller=caller, key=key, created_at__lt=now - settings.IDEMPOTENCY_RETENTION
    )
    if expired.delete()[0]:
        return _claim(caller=caller, key=key, fingerprint=fingerprint, now=now)
    record = IdempotencyRecord.objects.get(caller=caller, key=key)
    if record.fingerprint != fingerprint:
        raise KeyReused
    if record.status is None:
        # The process that held it may have died: its lease runs out, and one repeat takes over.
        abandoned = Q(pk=record.pk, status=None, locked_until__lt=now)
        if not IdempotencyRecord.objects.filter(abandoned).update(locked_until=locked_until):
            raise StillRunning
    return record


def _keep(view: ApiView, record: IdempotencyRecord, response: Response) -> None:
    body = json.dumps(response.data, default=str).encode()
    sealed = getattr(view, "action", None) in view.secret_answers
    if sealed:
        assert _seal is not None, "no sealer is registered; is apps.secrets installed?"
        body = _seal(body, str(record.pk))
    headers = {name: response[name] for name in _KEPT_HEADERS if response.has_header(name)}
    with enter_public():
        IdempotencyRecord.objects.filter(pk=record.pk).update(
            status=response.status_code, headers=headers, body=body, sealed=sealed, locked_until=None
        )


def _replay(record: IdempotencyRecord) -> Response:
    body = bytes(record.body or b"")
    if record.sealed:
        assert _open is not None, "no sealer is registered; is apps.secrets installed?"
        body = _open(body, str(record.pk))
    headers = {**record.headers, "Idempotency-Replayed": "true"}
    return Response(json.loads(body), status=record.status, headers=headers)
