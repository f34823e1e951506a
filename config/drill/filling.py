"""What a drill's platform holds: the demo's workspaces and apps, and a mail on its way, which is sealed."""

from __future__ import annotations

import django
from django.core.management import call_command
from django.utils import timezone


def main() -> None:
    """Fills the database that DATABASE_URL names."""
    django.setup()
    from apps.accounts.services.mail import queue_mail  # noqa: PLC0415 - models exist once the apps are ready

    call_command("demo")
    queue_mail(kind="drill", to="ann@example.com", subject="Sealed", text="Sealed until it is sent", now=timezone.now())


if __name__ == "__main__":
    main()
