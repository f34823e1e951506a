"""What machines ask of the platform: is it alive, is it ready, what does it count.

- `/healthz`: this process answers. It asks nothing of anybody else, so that a dead database doesn't get it restarted.
- `/readyz`: everything that a request may need is there: 200, or 503 with the part that isn't.
- `/metrics`: Prometheus' format, for callers with METRICS_TOKEN; without a token set, for this machine only.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.common.stored_metrics import export_stored_metrics
from config.celery import app
from config.env import is_loopback

log = structlog.get_logger(__name__)

SECONDS_TO_ANSWER = 2.0
MIGRATIONS_KNOWN_FOR_SECONDS = 60.0  # reading all migrations takes a tenth of a second; they change with a release only
_migrated_until = 0.0


class NotReady(Exception):
    """A part that requests need isn't as it must be."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Each part with `ok` or what is wrong with it, in words that give away nothing of the set-up."""
    checks = {name: describe(check) for name, check in CHECKS.items()}
    ready = all(state == "ok" for state in checks.values())
    answer = JsonResponse({"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503)
    if not ready:
        answer["Retry-After"] = "5"
    return answer


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What the web processes count, and what stands in the database, for those who may know."""
    if not may_read_metrics(request):
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", status=401, content_type="text/plain")
    answer: HttpResponse = ExportToDjangoView(request)
    answer.content += export_stored_metrics()
    return answer


def may_read_metrics(request: HttpRequest) -> bool:
    """By the token when one is set; else only a direct call from this machine (a proxy adds a header)."""
    if settings.METRICS_TOKEN:
        return secrets.compare_digest(
            request.headers.get("Authorization", "").encode(), f"Bearer {settings.METRICS_TOKEN}".encode()
        )
    return is_loopback(request.META.get("REMOTE_ADDR", "-")) and "X-Forwarded-For" not in request.headers


def describe(check: Callable[[], None]) -> str:
    """`ok`, or what is wrong; the details go to the log."""
    try:
        check()
    except NotReady as reason:
        return str(reason)
    except (DatabaseError, RedisError, OperationalError, OSError) as error:
        log.warning("not ready", part=check.__name__, error=str(error))
        return "doesn't answer"
    return "ok"


def check_database() -> None:
    """The database answers a query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    """The database is as this release's code expects it."""
    global _migrated_until  # noqa: PLW0603 - one fact about the process and its database
    if time.monotonic() < _migrated_until:
        return
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        raise NotReady(f"{len(pending)} migrations are pending")
    _migrated_until = time.monotonic() + MIGRATIONS_KNOWN_FOR_SECONDS


def check_cache() -> None:
    """The cache keeps what it is given."""
    word = secrets.token_hex(8)
    caches["global"].set(f"readyz:{word}", word, timeout=10)
    if caches["global"].get(f"readyz:{word}") != word:
        raise NotReady("doesn't keep what it is given")


def check_broker() -> None:
    """A task could be sent to the workers."""
    with app.connection_for_write(connect_timeout=SECONDS_TO_ANSWER) as broker:
        broker.ensure_connection(max_retries=1, timeout=SECONDS_TO_ANSWER)


CHECKS = {"database": check_database, "migrations": check_migrations, "cache": check_cache, "broker": check_broker}
