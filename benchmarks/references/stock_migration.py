"""``python -m benchmarks.references.stock_migration SCHEMA …``: stock django-tenants' way to migrate a schema.

Prints the seconds that each took.
"""

from __future__ import annotations

import sys
import time

import django
from django.db import connection
from django_tenants.migration_executors.base import run_migrations

OPTIONS = {
    **{"verbosity": 0, "interactive": False, "database": "default", "skip_checks": True, "plan": False},
    **{"fake": False, "fake_initial": False, "run_syncdb": False, "check_unapplied": False, "app_label": None},
    **{"migration_name": None, "prune": False, "traceback": False, "no_color": True, "force_color": False},
    **{"stdout": None, "stderr": None},
}


def migrate_schema(schema: str) -> None:
    """Bring one schema to the present migrations, as ``migrate_schemas`` does for each."""
    run_migrations([], dict(OPTIONS), "standard", schema, allow_atomic=True)
    connection.set_schema_to_public()


def main(schemas: list[str]) -> None:
    for schema in schemas:
        started = time.perf_counter()
        migrate_schema(schema)
        print(time.perf_counter() - started)


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1:])
