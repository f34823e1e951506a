"""When databases are backed up: cron expressions in a time zone, daily by default.

Times are those of Debian's cron (the library ``cronsim``): a daily time that the clock skips comes at the end of the
gap, one that it shows twice comes once.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from cronsim import CronSim, CronSimError
from django.conf import settings
from django.db import transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import AppRunError, InvalidInput
from apps.common.localities import time_zone_errors
from apps.common.revisions import Expected, update_revision
from apps.databases.models import Backup, BackupSchedule, WorkspaceDatabase
from apps.databases.models.backup import BackupKind
from apps.databases.selectors.databases import present_database
from apps.databases.services.backups.expiry import expire_superfluous, last_proved
from apps.databases.services.backups.requests import request_backup
from apps.databases.states import BackupStatus
from apps.events.services import emit_event

log = structlog.get_logger(__name__)

_SHORTEST = timedelta(minutes=15)
_TIMES_PER_DAY = timedelta(days=1) // _SHORTEST


def make_default_schedule(*, database: WorkspaceDatabase, now: datetime) -> BackupSchedule:
    """A daily backup at an hour and a minute of the database's own, so that a thousand don't begin together."""
    cron = f"{random.randrange(60)} {random.randrange(24)} * * *"
    schedule, _ = BackupSchedule.objects.get_or_create(
        database=database,
        defaults={
            "cron": cron,
            "keep_count": settings.BACKUP_KEEP_COUNT,
            "keep_days": settings.BACKUP_KEEP_DAYS,
            "prove_every_days": settings.BACKUP_PROVE_EVERY_DAYS,
            "next_run_at": next_run(cron, "UTC", after=now),
        },
    )
    return schedule


def find_schedule(*, workspace_id: Any, now: datetime) -> BackupSchedule:
    """The schedule of the workspace's database. Raises DatabaseNotFound."""
    return make_default_schedule(database=present_database(workspace_id), now=now)


def change_schedule(
    *, workspace: Any, actor: Actor, now: datetime, expected: Expected = None, **changes: Any
) -> BackupSchedule:
    """Change when the database is backed up and how much is kept.

    Raises DatabaseNotFound, InvalidInput for a cron expression or a time zone that isn't one, StaleRevision.
    """
    with transaction.atomic():
        schedule = find_schedule(workspace_id=workspace.pk, now=now)
        before = {name: getattr(schedule, name) for name in changes}
        cron, zone = changes.get("cron", schedule.cron), changes.get("time_zone", schedule.time_zone)
        check_times(cron, zone, now=now)
        if changes.get("enabled", schedule.enabled):
            changes["next_run_at"] = next_run(cron, zone, after=now)
        else:
            changes["next_run_at"] = None
        update_revision(schedule, expected, now=now, **changes)
        record_act_in(
            workspace,
            actor=actor,
            action="backup_schedule.update",
            target=Target(kind="database", id=str(schedule.database_id), name=schedule.database.name),
            now=now,
            changes={name: [was, changes[name]] for name, was in before.items() if was != changes[name]},
        )
        expire_superfluous(database_id=schedule.database_id, now=now)
    return schedule


def check_times(cron: str, time_zone: str, *, now: datetime) -> None:
    """Raise InvalidInput unless both can be understood, and the times are at least a quarter of an hour apart."""
    if faults := time_zone_errors(time_zone):
        raise InvalidInput(errors=faults)
    detail = "Five fields: minute, hour, day of month, month, day of week. Such as 30 2 * * *"
    if len(cron.split()) != 5:
        raise InvalidInput.at("/cron", "invalid_cron", detail)
    try:
        # By a clock that doesn't jump: one that does shortens a single gap, and that is no reason to refuse.
        times = CronSim(cron, now.astimezone(UTC))
        first = earlier = next(times)
        apart: list[timedelta] = []
        # A day of them: an expression's pattern within the hours of a day is the same on each.
        while len(apart) < _TIMES_PER_DAY and earlier - first <= timedelta(days=1):
            later = next(times)
            apart.append(_apart(earlier, later))
            earlier = later
    except (CronSimError, StopIteration) as error:
        said = f"{str(error) or 'It never comes'}. {detail}"
        raise InvalidInput.at("/cron", "invalid_cron", said) from error
    if min(apart) < _SHORTEST:
        raise InvalidInput.at("/cron", "too_often", "Backups must be at least 15 minutes apart.")


def next_run(cron: str, time_zone: str, *, after: datetime) -> datetime:
    """The first time of the expression behind ``after``, in UTC."""
    return next(CronSim(cron, after.astimezone(ZoneInfo(time_zone)))).astimezone(UTC)


def request_due_backups(*, now: datetime) -> int:
    """Ask for every backup that is due; returns how many. Those that were missed come once, not once each."""
    requested = 0
    due = BackupSchedule.objects.due(now).order_by("next_run_at")
    for pk in list(due.values_list("pk", flat=True)[: settings.BACKUPS_DUE_BATCH]):
        with transaction.atomic():
            schedule = (
                BackupSchedule.objects.due(now)
                .select_for_update(of=("self",), skip_locked=True)
                .select_related("database__workspace")
                .filter(pk=pk)
                .first()
            )
            if schedule is not None:
                schedule.next_run_at = next_run(schedule.cron, schedule.time_zone, after=now)
                schedule.last_run_at = now
                schedule.save(update_fields=["next_run_at", "last_run_at"])
                requested += _request(schedule, now=now)
    return requested


def _request(schedule: BackupSchedule, *, now: datetime) -> bool:
    """Ask for one; when it can't be had, say so in the log and to whoever listens. The next time comes all the same."""
    database = schedule.database
    making = Backup.objects.filter(database=database, status=BackupStatus.RUNNING, kind=BackupKind.SCHEDULED)
    if making.exists():
        return False
    try:
        with transaction.atomic():
            request_backup(
                workspace=database.workspace,
                actor=SYSTEM,
                now=now,
                kind=BackupKind.SCHEDULED,
                prove=_proof_is_due(schedule, now=now),
            )
    except AppRunError as error:
        log.warning("backup_not_requested", database=database.name, code=error.code, detail=error.detail)
        emit_event(
            type="backup.refused",
            workspace_id=database.workspace_id,
            data={"code": error.code, "detail": error.detail},
            now=now,
        )
        return False
    return True


def _proof_is_due(schedule: BackupSchedule, *, now: datetime) -> bool:
    if schedule.prove_every_days is None:
        return False
    last = last_proved(schedule.database_id)
    return last is None or last.proved_at is None or last.proved_at <= now - timedelta(days=schedule.prove_every_days)


def _apart(one: datetime, other: datetime) -> timedelta:
    return other.astimezone(UTC) - one.astimezone(UTC)
