"""`manage.py bootstrap`: the rows that a platform needs before its first visitor."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.plans.services.catalogue import seed_plans
from apps.workspaces.services.built_in_roles import seed_built_in_roles
from apps.workspaces.services.filling import fill_pool
from apps.workspaces.services.fleet import migrate_fleet


class Command(BaseCommand):
    help = "Make the built-in roles and plans, migrate the workspaces, fill the pool of schemas. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slots", type=int, default=settings.SLOT_POOL_SIZE, help="How many schemas stand ready.")

    def handle(self, *args: Any, slots: int, verbosity: int, **options: Any) -> None:
        seed_built_in_roles()
        seed_plans()
        report = migrate_fleet(report=self.stdout.write if verbosity else None)
        for name, reason in report.failed:
            # The others can work; `migrate_workspaces` shows and repeats what is left.
            self.stderr.write(f"{name} was not migrated: {reason}")
        made = fill_pool(size=slots)
        if verbosity and made:
            self.stdout.write(f"{made} schemas made; {slots} stand ready.")
