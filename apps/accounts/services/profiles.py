"""What people tell about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services.registration import normalise_name
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.localities import locale_errors, time_zone_errors
from apps.common.revisions import Expected, require_revision


def update_profile(*, user: User, changes: Mapping[str, Any], expected: Expected, actor: Actor, now: datetime) -> User:
    """Change ``name``, ``locale`` or ``time_zone``; what isn't named stays.

    Raises InvalidInput at the field; StaleRevision when the person isn't at an ``expected`` revision any more.
    """
    cleaned = _clean(changes)
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        require_revision(locked, expected)
        differences = {name: [getattr(locked, name), value] for name, value in cleaned.items()}
        differences = {name: pair for name, pair in differences.items() if pair[0] != pair[1]}
        if differences:
            for name, (_, value) in differences.items():
                setattr(locked, name, value)
            locked.save(update_fields=[*differences, "updated_at"])
            record_act(
                actor=actor,
                action="user.updated",
                target=Target("user", str(locked.pk), locked.email),
                changes=differences,
                now=now,
            )
    return locked


def _clean(changes: Mapping[str, Any]) -> dict[str, str]:
    cleaned = {name: changes[name] for name in ("name", "locale", "time_zone") if name in changes}
    if "name" in cleaned:
        cleaned["name"] = normalise_name(cleaned["name"])
    faults: list[FieldError] = []
    if "locale" in cleaned:
        faults += locale_errors(cleaned["locale"])
    if "time_zone" in cleaned:
        faults += time_zone_errors(cleaned["time_zone"])
    if faults:
        raise InvalidInput(errors=faults)
    return cleaned
