"""How the workers of a queue are started: the same way by `make run` and by docker-compose.yml (a test compares)."""

from __future__ import annotations

from config.settings.parts.celery import WORKER_QUEUES

__all__ = ["WORKER_QUEUES", "describe_worker", "name_setting", "name_worker"]


def name_worker(queue: str) -> str:
    """What the program, its log and its container are called: `worker`, `worker-backups`."""
    return "worker" if queue == "default" else f"worker-{queue}"


def name_setting(queue: str) -> str:
    """The environment variable that says how many processes work on the queue."""
    return "WORKER_PROCESSES" if queue == "default" else f"WORKER_PROCESSES_{queue.upper()}"


def describe_worker(queue: str, *, processes: int | str, level: str) -> list[str]:
    """The arguments of `celery`. The node's name tells which queue it works on (config/healthcheck.py asks it)."""
    return [
        "--app=config.celery",
        "worker",
        f"--queues={queue}",
        f"--hostname={queue}@%h",
        f"--loglevel={level}",
        f"--concurrency={processes}",
        "--without-gossip",
        "--without-mingle",
    ]
