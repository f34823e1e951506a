"""`manage.py add_database_server`: take a PostgreSQL server into use for workspaces' databases."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.databases.errors import UnfitServer
from apps.databases.services.servers.registration import ServerTerms, add_server, register_embedded_server


class Command(BaseCommand):
    help = (
        "Take a PostgreSQL server into use for workspaces' databases. The connection string of its superuser is read "
        "from the environment variable DATABASE_SERVER_DSN, so that it stands in no list of processes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--embedded", action="store_true", help="The platform's own, if there is no server yet.")
        parser.add_argument("--name")
        parser.add_argument("--host", help="Where workspaces' clients reach it.")
        parser.add_argument("--port", type=int, default=5432)
        parser.add_argument("--weight", type=int, default=100, help="Twice the weight takes twice the databases.")
        parser.add_argument("--capacity-bytes", type=int, help="Without: no limit.")
        parser.add_argument("--capacity-databases", type=int, help="Without: no limit.")

    def handle(self, *args: Any, embedded: bool, name: str | None, host: str | None, **options: Any) -> None:
        if embedded:
            server = register_embedded_server(now=timezone.now())
            if server and options["verbosity"]:
                self.stdout.write(f"{server.name} takes workspaces' databases.")
            return
        dsn = os.environ.get("DATABASE_SERVER_DSN", "")
        if not (name and host and dsn):
            raise CommandError("Name --name and --host, and the superuser's DSN in DATABASE_SERVER_DSN.")
        terms = ServerTerms(
            host=host,
            port=options["port"],
            weight=options["weight"],
            capacity_bytes=options["capacity_bytes"],
            capacity_databases=options["capacity_databases"],
        )
        try:
            server = add_server(name=name, dsn=dsn, terms=terms, actor=SYSTEM, now=timezone.now())
        except UnfitServer as error:
            raise CommandError("\n".join(f"{fault.pointer[1:]}: {fault.detail}" for fault in error.errors)) from error
        self.stdout.write(f"{server.name} takes workspaces' databases.")
