"""``manage.py open_backup <folder> --to file``: a dump out of the storage, with no row of the database asked."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.common.errors import AppRunError
from apps.databases.services.backups.files import export_dump


class Command(BaseCommand):
    help = (
        "Writes a backup's dump, decrypted, into a new file for pg_restore. Needs the storage and the key-encryption "
        "key alone: for the day on which the platform's own database is lost."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", help="The backup's folder in the storage: databases/<database>/<backup>")
        parser.add_argument("--to", type=Path, required=True, help="A file that isn't there yet.")

    def handle(self, *args: Any, folder: str, to: Path, **options: Any) -> None:
        try:
            descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{to}: {error.strerror}") from error
        try:
            with os.fdopen(descriptor, "wb") as target:
                manifest = export_dump(folder.rstrip("/"), target)
        except BaseException as error:
            to.unlink()
            if isinstance(error, AppRunError):
                raise CommandError(error.detail) from error
            raise
        told = {name: manifest[name] for name in ("workspace", "database", "snapshot_at", "revision", "server_version")}
        self.stdout.write(json.dumps(told | {"bytes": to.stat().st_size}, indent=1))
