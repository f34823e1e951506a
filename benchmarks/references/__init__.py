"""What the platform is measured against, each a Django project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping


def prepare_reference(name: str, count: int, secret: str, environment: Mapping[str, str]) -> None:
    """Fill the database of the reference ``name``, in a process with that project's settings."""
    command = [sys.executable, "-m", f"benchmarks.references.{name}.prepare", str(count), secret]
    settings = f"benchmarks.references.{name}.settings"
    environment = {**os.environ, **environment, "DJANGO_SETTINGS_MODULE": settings}
    subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
