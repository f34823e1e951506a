"""`manage.py bootstrap`: the rows that a platform needs before its first visitor."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.common.ids import new_id
from apps.common.permissions import BUILT_IN_ROLES
from apps.common.schema_ddl import create_schema
from apps.common.tenancy import schema_for
from apps.workspaces.models import Role, SchemaSlot
from apps.workspaces.states import SlotStatus


class Command(BaseCommand):
    help = "Make the built-in roles and fill the pool of schemas. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slots", type=int, default=settings.SLOT_POOL_SIZE, help="How many schemas stand ready.")

    def handle(self, *args: Any, slots: int, **options: Any) -> None:
        for code in BUILT_IN_ROLES:
            Role.objects.get_or_create(workspace=None, code=code, defaults={"name": code.capitalize()})
        while SchemaSlot.objects.filter(status=SlotStatus.READY).count() < slots:
            identifier = new_id()
            name = schema_for(identifier)
            SchemaSlot.objects.create(
                id=identifier, schema_name=name, fingerprint=create_schema(name), status=SlotStatus.READY
            )
