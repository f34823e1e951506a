"""`manage.py forget_audit --days N`: forget old acts, in the platform's trail and in every workspace's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.services.retention import forget_acts_before
from apps.common.actors import SYSTEM
from apps.common.tenancy import PUBLIC, SchemaRef, enter, schemas_holding


class Command(BaseCommand):
    help = "Forget the acts that are older than --days, in all trails; says how many went from each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, required=True, help="Acts of the last so many days are kept.")

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        if days < 1:
            raise CommandError("--days must be at least 1.")
        now = timezone.now()
        moment = now - timedelta(days=days)
        for schema in (PUBLIC, *schemas_holding(AuditEvent._meta.db_table)):
            forgotten = 0
            with enter(SchemaRef(schema)):
                while batch := forget_acts_before(moment=moment, actor=SYSTEM, now=now, limit=settings.RETENTION_BATCH):
                    forgotten += batch
            if forgotten:
                self.stdout.write(f"{schema}: {forgotten}")
