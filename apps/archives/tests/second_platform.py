"""Another installation: its own database, its own keys. Run as a program, it imports an archive by its own API.

``python -m apps.archives.tests.second_platform <archive> <slug> <app>`` prints one line of JSON: the operation, the
manifest of an export of what was imported, what the app answers there, and what a second import does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(path: str, slug: str, app: str) -> None:
    from django.test import Client
    from rest_framework.test import APIClient

    from apps.accounts.tests.factories import UserFactory
    from apps.archives.models import WorkspaceExport
    from apps.archives.tests.factories import bring, export
    from apps.workspaces.models import Workspace

    archive = Path(path).read_bytes()
    owner = UserFactory(email="owner@second.example")
    client = APIClient()
    client.force_authenticate(owner)
    done = bring(client, archive, slug=slug)
    report = {"status": done.status, "error": done.error, "result": done.result}
    if done.status == "succeeded":
        result, _ = export(client, Workspace.objects.get(slug=slug))
        visitor = Client()
        page = visitor.get(f"/runtime/{slug}/{app}", headers={"Accept": "text/html"})
        body = {"action": "double", "inputs": {"n": 21}}
        answer = visitor.post(f"/runtime/{slug}/{app}", body, content_type="application/json")
        report |= {
            "tables": WorkspaceExport.objects.get(pk=result["export"]).manifest["tables"],
            "page": [page.status_code, "Doubles what you type" in page.content.decode()],
            "answer": answer.json(),
        }
    print(json.dumps(report, default=str))


if __name__ == "__main__":
    import django
    from django.test.utils import setup_test_environment

    django.setup()
    setup_test_environment()
    main(*sys.argv[1:])
