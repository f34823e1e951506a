"""Forgetting old acts, the one way in which the trail gets shorter."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.audit.models import AuditEvent
from apps.audit.services.recording import Target, record_act
from apps.common.actors import Actor


@transaction.atomic
def forget_acts_before(*, moment: datetime, actor: Actor, now: datetime) -> int:
    """Delete the acts before ``moment`` from the trail of the entered workspace, or of the platform; returns how many.

    That it was done is an act itself, unless there was nothing to forget.
    """
    forgotten: int = AuditEvent.objects.forget_before(moment)
    if forgotten:
        record_act(
            actor=actor,
            action="audit.forget",
            target=Target(kind="audit"),
            changes={"before": moment.isoformat(), "acts": forgotten},
            now=now,
        )
    return forgotten
