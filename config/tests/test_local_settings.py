"""What `make run` changes, each in a process of its own: settings are read once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
from django.conf import settings
print(settings.EMAIL_BACKEND, settings.EMAIL_HOST or "-")
"""


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ({}, "django.core.mail.backends.filebased.EmailBackend -"),
        ({"EMAIL_URL": "smtp://mail.example.com:587"}, "django.core.mail.backends.smtp.EmailBackend mail.example.com"),
    ],
)
def test_mail_goes_to_files_until_a_server_is_named(given: dict[str, str], printed: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "EMAIL_URL"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=environment | given | {"DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == printed
