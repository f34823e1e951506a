"""What `make run` does between the services and the servers, in one process (each Django start takes seconds).

The public schema is migrated, the platform's own rows, its pool of schemas and its first database server are made,
and, unless DEMO=0, the demo data with their `demo.json`. Each command is safe to repeat.
"""

from __future__ import annotations

import os

import django
from django.core.management import call_command


def main() -> None:
    """Runs the commands in order; the first failure ends it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    django.setup()
    call_command("migrate_schemas", shared=True, interactive=False)
    call_command("bootstrap")
    call_command("add_database_server", embedded=True)
    if os.environ.get("DEMO", "1") != "0":
        call_command("demo")


if __name__ == "__main__":
    main()
