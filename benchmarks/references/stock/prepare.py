"""``python -m benchmarks.references.stock.prepare SCHEMAS SECRET``: SCHEMAS tenants, the first of them at 127.0.0.1."""

import hashlib
import os
import sys

import django
from django.db import connection
from django_tenants.utils import schema_context


def main(schemas: int, secret: str) -> None:
    from benchmarks.references.stock.shop.models import App, Key
    from benchmarks.references.stock.tenants.models import Client, Domain

    with connection.schema_editor() as editor:
        editor.create_model(Client)
        editor.create_model(Domain)
    Client.auto_create_schema = False
    for number in range(schemas):
        client = Client.objects.create(schema_name=f"t{number}", name=f"Tenant {number}")
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE SCHEMA "t{number}"')
        with schema_context(f"t{number}"), connection.schema_editor() as editor:
            editor.create_model(App)
            editor.create_model(Key)
        if number == 0:
            Domain.objects.create(domain="127.0.0.1", tenant=client, is_primary=True)
            with schema_context("t0"):
                App.objects.create(slug="app-0", name="App 0", origin="blank", status="draft")
                Key.objects.create(prefix="bench", secret_hash=hashlib.sha256(secret.encode()).hexdigest())


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.references.stock.settings"
    django.setup()
    main(int(sys.argv[1]), sys.argv[2])
