"""`manage.py rotate_secrets`: bring every sealed value under the present key-encryption key."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.secrets.services.fields import SealedField, sealed_fields
from apps.secrets.services.keys import active_key_id, configured_keys
from apps.secrets.services.rotation import rotate_field, survey_field

#: How many unusable rows are named; all of them are counted.
_NAMED = 20


class Command(BaseCommand):
    help = (
        "Re-wrap every sealed value under the first key of SECRETS_KEYS, in all schemas, and say which keys are still"
        " needed. Stop it at any moment and start it again. docs/operations/secrets.md has the whole rotation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Change nothing; only say which keys are needed.")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        try:
            if not check:
                for sealed in sealed_fields():
                    self._rotate(sealed)
            under, broken = self._survey()
        except KeyboardInterrupt as stop:
            raise CommandError("Stopped. What is done stays done; start it again to go on.", returncode=130) from stop
        self._conclude(under, broken, check=check)

    def _rotate(self, sealed: SealedField) -> None:
        def report(count: int) -> None:
            if self.stdout.isatty():
                self.stdout.write(f"{sealed}: {count} re-wrapped", ending="\r")
                self.stdout.flush()

        self.stdout.write(f"{sealed}: {rotate_field(sealed, report=report)} re-wrapped")

    def _survey(self) -> tuple[Counter[str], list[str]]:
        under: Counter[str] = Counter()
        broken: list[str] = []
        for sealed in sealed_fields():
            state = survey_field(sealed)
            for key_id, count in sorted(state.under.items()):
                self.stdout.write(f"{sealed}: {count} under {key_id!r}")
            under += state.under
            broken += state.broken
        return under, broken

    def _conclude(self, under: Counter[str], broken: list[str], *, check: bool) -> None:
        active, configured = active_key_id(), configured_keys()
        for key_id in configured:
            if key_id == active:
                self.stdout.write(f"The key {key_id!r} seals; {under[key_id]} values are under it.")
            elif under[key_id]:
                self.stdout.write(f"The key {key_id!r} is still needed by {under[key_id]} values.")
            else:
                self.stdout.write(
                    f"No stored value needs the key {key_id!r} any more. Take it out of SECRETS_KEYS, and keep it as"
                    " long as any backup that was made before now."
                )
        for line in broken[:_NAMED]:
            self.stderr.write(line)
        faults = [
            f"{count} values need the key {key_id!r}, which is not configured: put it back into SECRETS_KEYS."
            for key_id, count in sorted(under.items())
            if key_id not in configured
        ]
        if broken:
            faults.append(f"{len(broken)} rows hold what can't be opened; the first of them are named above.")
        left = sum(count for key_id, count in under.items() if key_id in configured and key_id != active)
        if left and not check:
            faults.append(f"{left} values were in other hands, or can't be re-wrapped. Start it again in a minute.")
        if faults:
            raise CommandError(" ".join(faults))
