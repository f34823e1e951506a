"""Whose turn it is: workspaces with work in a queue, in the order in which they are served."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection

# The waiting workspaces are found by stepping from one to the next in the index `operation_turns`, so that ten thousand
# operations of one of them are passed by in one step.
_TURNS = """
WITH RECURSIVE waiting AS (
    (SELECT workspace_id FROM operations_operation
      WHERE status = 'queued' AND queue = %(queue)s AND workspace_id IS NOT NULL ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.workspace_id FROM operations_operation AS o
             WHERE o.status = 'queued' AND o.queue = %(queue)s AND o.workspace_id > waiting.workspace_id
             ORDER BY o.workspace_id LIMIT 1)
      FROM waiting WHERE waiting.workspace_id IS NOT NULL
),
running AS (
    SELECT workspace_id, count(*) AS running FROM operations_operation WHERE status = 'running' GROUP BY workspace_id
),
of_platform AS (
    SELECT priority, waiting_since FROM operations_operation
     WHERE status = 'queued' AND queue = %(queue)s AND next_attempt_at <= %(now)s AND workspace_id IS NULL
     ORDER BY priority DESC, next_attempt_at, id LIMIT 1
)
SELECT workspace_id, running FROM (
    SELECT waiting.workspace_id, first.priority, first.waiting_since,
           coalesce(running.running, 0) AS running, turn.served_at
      FROM waiting
      CROSS JOIN LATERAL (
          SELECT o.priority, o.waiting_since FROM operations_operation AS o
           WHERE o.status = 'queued' AND o.queue = %(queue)s AND o.next_attempt_at <= %(now)s
             AND o.workspace_id = waiting.workspace_id
           ORDER BY o.priority DESC, o.next_attempt_at, o.id LIMIT 1
      ) AS first
      LEFT JOIN running ON running.workspace_id = waiting.workspace_id
      LEFT JOIN operations_workspaceturn AS turn ON turn.workspace_id = waiting.workspace_id
     WHERE waiting.workspace_id IS NOT NULL
    UNION ALL
    SELECT NULL, priority, waiting_since, 0, NULL FROM of_platform
) AS participants
ORDER BY priority DESC, running, served_at NULLS FIRST, waiting_since
"""

_SHARES = """
SELECT id FROM (
    SELECT id, next_attempt_at, row_number() OVER (
        PARTITION BY queue, workspace_id ORDER BY priority DESC, next_attempt_at, id
    ) AS place
      FROM operations_operation WHERE status = 'queued' AND next_attempt_at <= %(now)s
) AS due
WHERE place <= %(each)s ORDER BY place, next_attempt_at LIMIT %(most)s
"""


def waiting_workspaces(*, queue: str, now: datetime) -> list[tuple[UUID | None, int]]:
    """Those with an operation due in the queue, and how many of theirs run; None stands for the platform's own work.

    By the priority of their first one, then who has the fewest running, then who was served least recently, then who
    has waited longest.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TURNS, {"queue": queue, "now": now})
        return [(row[0], row[1]) for row in cursor.fetchall()]


def overdue_operations(*, now: datetime, each: int, most: int) -> list[UUID]:
    """At most ``most`` operations that are due, and at most ``each`` of one workspace in one queue: every workspace's
    first ones before anybody's second ones."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARES, {"now": now, "each": each, "most": most})
        return [row[0] for row in cursor.fetchall()]
