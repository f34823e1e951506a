"""Filters of the list of backups."""

from __future__ import annotations

from django_filters import ChoiceFilter

from apps.common.api.filters import Filters
from apps.databases.models import Backup
from apps.databases.models.backup import BackupKind
from apps.databases.states import BackupStatus


class BackupFilters(Filters):
    status = ChoiceFilter(choices=BackupStatus.choices)
    kind = ChoiceFilter(choices=BackupKind.choices)

    class Meta:
        model = Backup
        fields: list[str] = []
