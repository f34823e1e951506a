"""Forgetting old acts, the one way in which the trail gets shorter."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.audit.models import AuditEvent
from apps.audit.services.recording import Target, record_act
from apps.common.actors import SYSTEM, Actor
from apps.common.retention import forget_in_batches
from apps.common.tenancy import enter_public


@transaction.atomic
def forget_acts_before(*, moment: datetime, actor: Actor, now: datetime, limit: int) -> int:
    """Delete the oldest ``limit`` acts before ``moment`` from the trail of the entered workspace, or of the platform;
    returns how many.

    That it was done is an act itself, unless there was nothing to forget.
    """
    forgotten: int = AuditEvent.objects.forget_before(moment, limit=limit)
    if forgotten:
        record_act(
            actor=actor,
            action="audit.forget",
            target=Target(kind="audit"),
            changes={"before": moment.isoformat(), "acts": forgotten},
            now=now,
        )
    return forgotten


def forget_old_acts(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` acts older than ``AUDIT_RETENTION`` from the entered trail; returns how many."""
    return forget_acts_before(moment=now - settings.AUDIT_RETENTION, actor=SYSTEM, now=now, limit=limit)


def shorten_platform_trail(*, now: datetime) -> int:
    """Forget the platform's acts that are older than ``AUDIT_RETENTION``; returns how many."""
    with enter_public():
        return forget_in_batches("audit.platform", lambda limit: forget_old_acts(now=now, limit=limit)).count
