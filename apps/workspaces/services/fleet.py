"""Bringing every schema to the migrations of this release: the fleet migrator.

Each schema is one transaction that also writes its new fingerprint, so the rows always tell who is where: whoever is
killed half-way is simply started again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.db import Error as DatabaseFault
from django.db import connection, transaction
from django.db.models import Count

from apps.common.schema_migration import (
    Release,
    UnknownMigrations,
    Upgrade,
    applied_migrations,
    migrate_in_earnest,
    plan_upgrade,
    present_release,
    replay,
)
from apps.workspaces.models import SchemaSlot, Workspace
from apps.workspaces.states import SlotStatus

log = structlog.get_logger(__name__)

#: How long a schema's tables may be waited for while somebody works in it; then it is tried again at the end.
_LOCK_TIMEOUT_SECONDS = 3
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A schema that has to be migrated: a workspace's, or one that stands ready."""

    is_slot: bool
    id: UUID
    schema_name: str
    name: str
    fingerprint: str

    @property
    def rows(self) -> Any:
        return (SchemaSlot if self.is_slot else Workspace).objects.filter(pk=self.id, fingerprint=self.fingerprint)


@dataclass(frozen=True, slots=True)
class FleetRow:
    """How many schemas stand at one fingerprint."""

    fingerprint: str
    is_present: bool
    workspaces: int
    slots: int
    failed: int


@dataclass(slots=True)
class FleetReport:
    """What a run of the migrator did. ``failed`` names the schema's workspace and why."""

    migrated: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    stopped_at_canary: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, outcome: str) -> None:
        with self._lock:
            if outcome == "migrated":
                self.migrated += 1
            else:
                self.skipped += 1

    def add_failure(self, place: Place, reason: str) -> None:
        with self._lock:
            self.failed.append((place.name, reason))


def fleet_table(*, release: Release | None = None) -> list[FleetRow]:
    """Who is where, the present release first."""
    present = (release or present_release()).fingerprint
    workspaces = dict(_count(Workspace.objects.with_schema()))
    slots = dict(_count(SchemaSlot.objects.filter(status=SlotStatus.READY)))
    failed = dict(_count(Workspace.objects.with_schema().exclude(migration_error="")))
    rows = [
        FleetRow(
            fingerprint=fingerprint,
            is_present=fingerprint == present,
            workspaces=workspaces.get(fingerprint, 0),
            slots=slots.get(fingerprint, 0),
            failed=failed.get(fingerprint, 0),
        )
        for fingerprint in workspaces.keys() | slots.keys()
    ]
    return sorted(rows, key=lambda row: (not row.is_present, -row.workspaces, row.fingerprint))


def plan_fleet(*, release: Release | None = None) -> list[tuple[str, int, list[str] | str]]:
    """What a run would do: for each fingerprint that isn't the present one, how many schemas it has, and the
    migrations they lack (or why they can't be migrated)."""
    chosen = release or present_release()
    planned: list[tuple[str, int, list[str] | str]] = []
    for fingerprint, places in _groups(chosen).items():
        try:
            planned.append((fingerprint, len(places), _plan(chosen, places[0]).names))
        except (UnknownMigrations, DatabaseFault) as error:
            planned.append((fingerprint, len(places), _reason(error)))
    return planned


def migrate_fleet(
    *,
    release: Release | None = None,
    canaries: int = 1,
    workers: int = 2,
    only_canaries: bool = False,
    report: Callable[[str], object] | None = None,
) -> FleetReport:
    """Migrate every schema that isn't at ``release`` (this process's); safe to stop at any moment and to repeat.

    In each group of schemas at one fingerprint, ``canaries`` of them go first, one after the other; when one fails,
    its group is left alone. The rest goes to ``workers`` connections at once. Schemas that somebody works in are tried
    again at the end.
    """
    chosen = release or present_release()
    say = report or (lambda _: None)
    outcome = FleetReport()
    for fingerprint, places in _groups(chosen).items():
        say(f"{fingerprint}: {len(places)} schemas to migrate")
        try:
            upgrade = _plan(chosen, places[0])
        except (UnknownMigrations, DatabaseFault) as error:
            _fail(outcome, places[0], error)
            continue
        script = _migrate_canaries(upgrade, places[: max(1, canaries)], outcome, say)
        if script is None:
            outcome.stopped_at_canary = True
        elif not only_canaries:
            rest = places[max(1, canaries) :]
            _migrate_all(upgrade, rest, script if upgrade.is_replayable else None, workers, outcome)
    return outcome


def _migrate_canaries(
    upgrade: Upgrade, places: Sequence[Place], outcome: FleetReport, say: Callable[[str], object]
) -> str | None:
    """The recorded script of the last canary, or None when one failed."""
    script: str | None = None
    for place in places:
        try:
            recorded = _migrate(upgrade, place, None)
        except (DatabaseFault, ValueError) as error:
            _fail(outcome, place, error)
            say(f"{place.name} is a canary, and failed: {_reason(error)}")
            return None
        outcome.add("migrated" if recorded is not None else "skipped")
        script = recorded if recorded is not None else script
    return script


def _migrate_all(
    upgrade: Upgrade, places: Sequence[Place], script: str | None, workers: int, outcome: FleetReport
) -> None:
    waiting = list(places)
    for patience in range(_ROUNDS, 0, -1):
        busy: list[Place] | None = [] if patience > 1 else None
        if workers > 1 and not connection.in_atomic_block:
            shared = _SharedIterator(waiting)
            with ThreadPoolExecutor(workers) as pool:
                threads = [
                    pool.submit(_migrate_in_thread, upgrade, shared, script, outcome, busy) for _ in range(workers)
                ]
                for thread in threads:
                    thread.result()
        else:
            _migrate_each(upgrade, waiting, script, outcome, busy)
        if not busy:
            return
        waiting = busy


def _migrate_in_thread(
    upgrade: Upgrade, places: Iterable[Place], script: str | None, outcome: FleetReport, busy: list[Place] | None
) -> None:
    try:
        _migrate_each(upgrade, places, script, outcome, busy)
    finally:
        connection.close()


def _migrate_each(
    upgrade: Upgrade, places: Iterable[Place], script: str | None, outcome: FleetReport, busy: list[Place] | None
) -> None:
    """Migrate one after the other. Those that somebody works in are put into ``busy``, or fail when it is None."""
    for place in places:
        try:
            outcome.add("skipped" if _migrate(upgrade, place, script) is None else "migrated")
        except DatabaseFault as error:
            if busy is not None and _is_busy(error):
                busy.append(place)
            else:
                _fail(outcome, place, error)


def _migrate(upgrade: Upgrade, place: Place, script: str | None) -> str | None:
    """Migrate one schema: by ``script``, in earnest without one. Returns the script; None when the schema has moved
    or gone meanwhile."""
    if not upgrade.is_atomic:
        if not place.rows.exists():
            return None
        recorded = migrate_in_earnest(upgrade, place.schema_name)
        _write_down(place, upgrade)
        return recorded
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'")
        if place.rows.select_for_update().values_list("pk").first() is None:
            return None
        if script is None:
            script = migrate_in_earnest(upgrade, place.schema_name)
        else:
            replay(script, place.schema_name)
        _write_down(place, upgrade)
    return script


def _write_down(place: Place, upgrade: Upgrade) -> None:
    forgotten = {"error": ""} if place.is_slot else {"migration_error": ""}
    place.rows.update(fingerprint=upgrade.target, **forgotten)


def _plan(release: Release, place: Place) -> Upgrade:
    applied = applied_migrations(place.schema_name)
    upgrade = plan_upgrade(release, applied)
    if upgrade.source != place.fingerprint:
        # The record of the schema is the truth; a place that claims another fingerprint is not like its group.
        raise UnknownMigrations(f"{place.name} claims {place.fingerprint} and stands at {upgrade.source}")
    return upgrade


def _groups(release: Release) -> dict[str, list[Place]]:
    """The schemas that aren't at ``release``, by where they are. Workspaces come first: a canary has data."""
    groups: dict[str, list[Place]] = defaultdict(list)
    for place in _places(release.fingerprint):
        groups[place.fingerprint].append(place)
    return groups


def _places(present: str) -> Iterator[Place]:
    columns = ("pk", "schema_name", "fingerprint")
    workspaces = Workspace.objects.with_schema().exclude(fingerprint=present)
    for pk, schema_name, fingerprint, slug in workspaces.order_by("created_at").values_list(*columns, "slug"):
        yield Place(False, pk, schema_name, slug, fingerprint)
    slots = SchemaSlot.objects.filter(status=SlotStatus.READY).exclude(fingerprint=present)
    for pk, schema_name, fingerprint in slots.order_by("created_at").values_list(*columns):
        yield Place(True, pk, schema_name, f"slot {schema_name}", fingerprint)


def _fail(outcome: FleetReport, place: Place, error: Exception) -> None:
    reason = _reason(error)
    outcome.add_failure(place, reason)
    log.error("schema_not_migrated", place=place.name, schema=place.schema_name, reason=reason)
    if not place.is_slot:
        place.rows.update(migration_error=reason[:2000])
    elif not isinstance(error, UnknownMigrations):
        place.rows.update(error=reason[:2000])


def _is_busy(error: Exception) -> bool:
    return getattr(error.__cause__ or error, "sqlstate", None) == "55P03"  # lock_not_available


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip()


def _count(rows: Any) -> list[tuple[str, int]]:
    return list(rows.order_by().values_list("fingerprint").annotate(count=Count("pk")))


class _SharedIterator:
    """One list that several threads take from."""

    def __init__(self, items: Iterable[Place]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Place]:
        while True:
            with self._lock:
                item = next(self._items, None)
            if item is None:
                return
            yield item
