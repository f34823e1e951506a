"""`manage.py migrate_workspaces`: bring every workspace's schema to the migrations of this release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.workspaces.services.fleet import FleetReport, fleet_table, migrate_fleet, plan_fleet


class Command(BaseCommand):
    help = (
        "Migrate the schemas of all workspaces, and those that stand ready, to this release. Each is one transaction;"
        " stop it at any moment and start it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", action="store_true", help="Only say what would be done.")
        parser.add_argument("--canaries", type=int, default=1, help="How many of each group go first, one by one.")
        parser.add_argument("--only-canaries", action="store_true", help="Stop after them.")
        parser.add_argument("--workers", type=int, default=2, help="How many connections work at once.")

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        if options["plan"]:
            self._show_plan()
            self._show_table()
            return
        report = migrate_fleet(
            canaries=options["canaries"],
            workers=options["workers"],
            only_canaries=options["only_canaries"],
            report=self.stdout.write if verbosity else None,
        )
        if verbosity:
            self._show_report(report)
            self._show_table()
        if report.failed:
            raise CommandError(f"{len(report.failed)} schemas were not migrated; see above.")

    def _show_plan(self) -> None:
        planned = plan_fleet()
        for fingerprint, count, migrations in planned:
            self.stdout.write(f"{fingerprint}: {count} schemas")
            for line in [migrations] if isinstance(migrations, str) else migrations:
                self.stdout.write(f"    {line}")
        if not planned:
            self.stdout.write("Every schema is at this release.")

    def _show_report(self, report: FleetReport) -> None:
        for name, reason in report.failed:
            self.stderr.write(f"{name}: {reason}")
        if report.stopped_at_canary:
            self.stderr.write("A canary failed; the rest of its group was left alone.")
        self.stdout.write(f"{report.migrated} schemas migrated, {len(report.failed)} failed.")

    def _show_table(self) -> None:
        self.stdout.write(f"{'fingerprint':<18}{'workspaces':>11}{'ready':>8}{'failed':>8}")
        for row in fleet_table():
            mark = "  this release" if row.is_present else ""
            self.stdout.write(f"{row.fingerprint:<18}{row.workspaces:>11}{row.slots:>8}{row.failed:>8}{mark}")
