"""`manage.py demo`: data to look at, and `$DATA_DIR/demo.json` to drive it with."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.console.services.demo import make_demo, read_demo, write_demo


class Command(BaseCommand):
    help = "Make the demo's people, workspaces and apps, and write their logins to $DATA_DIR/demo.json. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.DATA_DIR / "demo.json"
        write_demo(path, make_demo(now=timezone.now(), known=read_demo(path)))
        self.stdout.write(f"The demo is described in {path}")
