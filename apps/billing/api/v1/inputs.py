"""What the endpoints of billing read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.common.api.inputs import Input

_VISIBLE = r"^[\x21-\x7e]{1,200}\Z"


def _amount(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(**{"min_value": 1, "max_value": settings.USAGE_AMOUNT_MAX, **options})


class _Keyed(Input):
    """A request that counts once for each key, for ever."""

    amount = _amount(help_text="In the dimension's unit.")
    idempotency_key = serializers.RegexField(
        _VISIBLE,
        trim_whitespace=False,
        help_text="1 to 200 visible ASCII characters: the same key counts once in this workspace, for ever.",
    )


class _Use(_Keyed):
    dimension = serializers.CharField(max_length=60)
    unit = serializers.CharField(
        max_length=30, required=False, help_text="When sent, it must be the dimension's: a guard against mistakes."
    )
    app = serializers.CharField(
        max_length=63, required=False, allow_null=True, default=None, help_text="The id or slug of the app it is for."
    )
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ConsumeInput(_Use):
    """Something that was used."""


class ReserveInput(_Use):
    """Something that is about to be used."""

    expires_in = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=int(settings.RESERVATION_LIFETIME_MAX.total_seconds()),
        help_text=f"Seconds; {int(settings.RESERVATION_LIFETIME.total_seconds())} without it.",
    )


class CommitInput(Input):
    """What was really used of a reservation."""

    amount = _amount(
        min_value=0, required=False, allow_null=True, default=None, help_text="All that was reserved without it."
    )


class CorrectInput(_Keyed):
    """What of a use is to be taken back, and why."""

    event = serializers.UUIDField(help_text="The entry of the ledger that was wrong.")
    note = serializers.CharField(max_length=300, help_text="What was wrong.")
