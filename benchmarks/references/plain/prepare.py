"""``python -m benchmarks.references.plain.prepare ROWS SECRET``: tables, a key ``bench.SECRET``, ROWS apps."""

import hashlib
import os
import sys

import django
from django.db import connection


def main(rows: int, secret: str) -> None:
    from benchmarks.references.plain.models import App, Key, Use

    with connection.schema_editor() as editor:
        editor.create_model(Key)
        editor.create_model(App)
        editor.create_model(Use)
    Key.objects.create(prefix="bench", secret_hash=hashlib.sha256(secret.encode()).hexdigest())
    apps = (App(slug=f"app-{n}", name=f"App {n}", origin="blank", status="draft") for n in range(rows))
    App.objects.bulk_create(apps, batch_size=5000)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.references.plain.settings"
    django.setup()
    main(int(sys.argv[1]), sys.argv[2])
