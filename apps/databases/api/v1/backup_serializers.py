"""What goes in and out about backups and their schedule."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.common.api.inputs import Input
from apps.databases.models.backup import BackupKind
from apps.databases.states import BackupStatus

_MOST = 10_000


class MakeBackup(Input):
    """Nothing is asked for, but perhaps a proof."""

    prove = serializers.BooleanField(default=False, help_text="Prove it afterwards, by an operation of its own.")


class ProveBackup(Input):
    """Nothing is asked for."""


class ChangeSchedule(Input):
    """When, and how much is kept; null is no limit. Whatever any limit exceeds goes, but for the last proved one."""

    cron = serializers.CharField(max_length=100, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    enabled = serializers.BooleanField(required=False)
    keep_count = serializers.IntegerField(min_value=1, max_value=_MOST, allow_null=True, required=False)
    keep_days = serializers.IntegerField(min_value=1, max_value=_MOST, allow_null=True, required=False)
    keep_bytes = serializers.IntegerField(min_value=1, max_value=2**62, allow_null=True, required=False)
    prove_every_days = serializers.IntegerField(
        min_value=0, max_value=365, allow_null=True, required=False, help_text="0: every scheduled one; null: none."
    )


class BackupOutput(serializers.Serializer[Any]):
    """A backup of the workspace's database."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=BackupKind.choices)
    status = serializers.ChoiceField(choices=BackupStatus.choices)
    size_bytes = serializers.IntegerField(help_text="As stored: compressed and sealed.")
    sha256 = serializers.CharField(help_text="Of the file as stored.")
    tables = serializers.IntegerField(help_text="Of the workspace: without the platform's record of its migrations.")
    rows = serializers.IntegerField(help_text="Of those tables.")
    revision = serializers.IntegerField(help_text="The version of the last migration that it has.")
    error = serializers.CharField(help_text="Why it failed, or can't be restored; else empty.")
    started_at = serializers.DateTimeField()
    stored_at = serializers.DateTimeField(allow_null=True)
    proved_at = serializers.DateTimeField(allow_null=True, help_text="When it was last proved restorable.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Since when it is on its way out.")


class ScheduleOutput(serializers.Serializer[Any]):
    """When the database is backed up, and how much is kept."""

    cron = serializers.CharField(help_text="Minute, hour, day of month, month, day of week.")
    time_zone = serializers.CharField()
    enabled = serializers.BooleanField()
    keep_count = serializers.IntegerField(allow_null=True)
    keep_days = serializers.IntegerField(allow_null=True)
    keep_bytes = serializers.IntegerField(allow_null=True)
    prove_every_days = serializers.IntegerField(allow_null=True)
    next_run_at = serializers.DateTimeField(allow_null=True)
    last_run_at = serializers.DateTimeField(allow_null=True)
