"""Celery: the message is a wake-up, the row is the truth, so results are not kept and messages may be lost."""

from datetime import timedelta
from typing import Any

from kombu import Queue

from config.env import env
from config.settings.parts import platform

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
#: Set apart what several platforms, or test processes, keep in one Redis database.
REDIS_KEY_PREFIX = env.str("REDIS_KEY_PREFIX", default="")

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "max_retries": 1,
    "global_keyprefix": REDIS_KEY_PREFIX,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
#: Queue → how many processes work on it. Each has workers of its own, so that a backup never delays a certificate:
#: `default` for what is quick (and all that the schedule sends), `databases` for work on workspaces' databases that
#: somebody waits for, `backups` for what takes long: dumps, proofs, restores.
WORKER_QUEUES = {
    "default": platform.WORKER_PROCESSES,
    "databases": platform.WORKER_PROCESSES_DATABASES,
    "backups": platform.WORKER_PROCESSES_BACKUPS,
}
CELERY_TASK_QUEUES = [Queue(name) for name in WORKER_QUEUES]
CELERY_WORKER_MAX_TASKS_PER_CHILD = platform.WORKER_TASKS_PER_CHILD
CELERY_WORKER_MAX_MEMORY_PER_CHILD = platform.WORKER_MEMORY_PER_CHILD // 1024  # KiB
#: By itself Celery closes the database's connections before and behind each task, whatever CONN_MAX_AGE says, and a new
#: one costs more than most tasks. So it is told to leave them for as long as a process lives; config/celery.py keeps
#: those that are alive.
CELERY_DB_REUSE_MAX = platform.WORKER_TASKS_PER_CHILD
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SYNC_EVERY = 1  # each run is written down at once: the health check reads it, a restart repeats nothing


def _every(interval: timedelta, task: str) -> dict[str, Any]:
    """A job of the platform: sent with the public schema's header (apps/common/tasks.py refuses others)."""
    return {"task": task, "schedule": interval, "options": {"headers": {"_schema_name": "public"}}}


CELERY_BEAT_SCHEDULE = {
    "operations-sweep": _every(timedelta(seconds=15), "operations.sweep"),
    "events-relay": _every(timedelta(seconds=15), "events.relay"),
    "workspaces-keep-pool": _every(timedelta(seconds=30), "workspaces.keep_pool"),
    "workspaces-purge-due": _every(timedelta(hours=1), "workspaces.purge_due"),
    "archives-expire": _every(timedelta(hours=1), "archives.expire"),
    "accounts-deliver-due-mail": _every(timedelta(seconds=30), "accounts.deliver_due_mail"),
    "accounts-clear-expired": _every(timedelta(hours=1), "accounts.clear_expired"),
    "invitations-expire": _every(timedelta(hours=1), "workspaces.expire_invitations"),
    "common-forget": _every(timedelta(hours=1), "common.forget"),
    "operations-forget-finished": _every(timedelta(hours=1), "operations.forget_finished"),
    "operations-fold-tallies": _every(timedelta(minutes=10), "operations.fold_tallies"),
    "events-forget-relayed": _every(timedelta(hours=1), "events.forget_relayed"),
    "audit-shorten-platform-trail": _every(timedelta(hours=1), "audit.shorten_platform_trail"),
    "workspaces-sweep-due-work": _every(timedelta(seconds=15), "workspaces.sweep_due_work"),
    "workspaces-begin-missing-retention": _every(timedelta(hours=1), "workspaces.begin_missing_retention"),
    "billing-begin-missing-upkeep": _every(timedelta(minutes=5), "billing.begin_missing_upkeep"),
    "databases-tend": _every(platform.DATABASE_TEND_INTERVAL, "databases.tend"),
    "databases-check-servers": _every(platform.DATABASE_SERVER_CHECK_INTERVAL, "databases.check_servers"),
    "databases-request-backups": _every(timedelta(minutes=1), "databases.request_backups"),
    "databases-sweep-backups": _every(timedelta(hours=1), "databases.sweep_backups"),
    "decisions-forget": _every(timedelta(hours=1), "access.delete_old_decisions"),
    "databases-open-fenced": _every(timedelta(seconds=15), "databases.open_fenced"),
    "databases-settle-restores": _every(timedelta(minutes=1), "databases.settle_restores"),
    "databases-drop-kept": _every(timedelta(minutes=10), "databases.drop_kept"),
    "databases-measure": _every(platform.DATABASE_MEASURE_INTERVAL, "databases.measure"),
    "databases-watch-sessions": _every(platform.DATABASE_WATCH_INTERVAL, "databases.watch_sessions"),
    "databases-forget": _every(timedelta(hours=1), "databases.forget"),
}
