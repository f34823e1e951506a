"""Is this container's program working? `python -m config.healthcheck web|worker|worker-<queue>|beat` ends with 0 or 1.

`web` asks /readyz on PORT. `worker` and `worker-<queue>` have the worker of this host and that queue answer a ping
through the broker. `beat` looks at the scheduler's own table: an entry is due every 15 seconds, so the newest run is
younger than two minutes.
"""

from __future__ import annotations

import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import django
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from config.celery import app
from config.workers import WORKER_QUEUES, name_worker

OLDEST_BEAT = timedelta(minutes=2)
SECONDS_TO_ANSWER = 5.0


def check_web() -> bool:
    """Whether /readyz says 200 to a request for the first name that we serve."""
    host = os.environ.get("ALLOWED_HOSTS", "127.0.0.1").split(",")[0].strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/readyz", headers={"Host": host}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def check_worker(queue: str) -> bool:
    """Whether this host's worker of the queue answers."""
    return bool(app.control.ping(destination=[f"{queue}@{socket.gethostname()}"], timeout=SECONDS_TO_ANSWER))


def check_beat() -> bool:
    """Whether the scheduler sent anything lately."""
    django.setup()
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(last_run_at) FROM public.django_celery_beat_periodictask WHERE enabled")
        newest = cursor.fetchone()[0]
    return newest is not None and timezone.now() - newest < OLDEST_BEAT


CHECKS: dict[str, Callable[[], bool]] = {
    "web": check_web,
    **{name_worker(queue): partial(check_worker, queue) for queue in WORKER_QUEUES},
    "beat": check_beat,
}


def main(arguments: list[str]) -> int:
    """The exit code for the check of that name."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        print(f"expected one of: {', '.join(CHECKS)}", file=sys.stderr)  # noqa: T201
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
    try:
        return 0 if CHECKS[arguments[0]]() else 1
    except (OSError, OperationalError, DatabaseError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
