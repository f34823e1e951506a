"""The pool of schemas that stand ready, so that nobody waits for one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.common.actors import SYSTEM
from apps.common.ids import new_id
from apps.common.schema_ddl import create_schema, release_fingerprint
from apps.common.tenancy import schema_for
from apps.operations.services.kinds import StepContext
from apps.operations.services.requests import find_or_request_operation, request_operation
from apps.workspaces.models import SchemaSlot
from apps.workspaces.states import SlotStatus


def claim_slot(*, excluding: Collection[UUID] = ()) -> SchemaSlot | None:
    """A schema of this release that is nobody else's from now on; None when none stands ready.

    To be called in a transaction. Callers never wait for one another: each takes another row.
    """
    ready = SchemaSlot.objects.ready(release_fingerprint()).with_ready_count()
    if excluding:
        ready = ready.exclude(pk__in=excluding)
    slot: SchemaSlot | None = ready.select_for_update(skip_locked=True).first()
    if slot is not None:
        slot.move_to(SlotStatus.CLAIMED)
    return slot


def is_pool_low(claimed: SchemaSlot) -> bool:
    """Whether half of the pool is gone, as it was seen when this slot was claimed; the schedule tops it up anyway."""
    left: int = claimed.ready_count - 1  # type: ignore[attr-defined]
    return left <= int(settings.SLOT_POOL_SIZE) // 2


def condemn_slot(*, slot_id: UUID, reason: str) -> None:
    """Take a slot whose schema turned out to be unusable out of the pool; keep_pool has it made again."""
    with transaction.atomic():
        slot = (
            SchemaSlot.objects.select_for_update(skip_locked=True).filter(pk=slot_id, status=SlotStatus.READY).first()
        )
        if slot is not None:
            slot.move_to(SlotStatus.MAKING)
            slot.move_to(SlotStatus.BROKEN, error=reason[:2000])


def keep_pool(*, now: datetime, size: int | None = None) -> int:
    """Ask for as many schemas as the pool lacks, and have broken ones made again; returns how many were asked for."""
    wanted = settings.SLOT_POOL_SIZE if size is None else size
    asked = 0
    with transaction.atomic():
        for slot in SchemaSlot.objects.broken().select_for_update(skip_locked=True):
            slot.move_to(SlotStatus.MAKING, error="")
    for slot in SchemaSlot.objects.making():
        find_or_request_operation(kind="workspaces.make_slot", target_id=slot.pk, actor=SYSTEM, now=now)
    coming = SchemaSlot.objects.making().count() + SchemaSlot.objects.ready(release_fingerprint()).count()
    for _ in range(coming, wanted):
        with transaction.atomic():
            slot = add_slot()
            request_operation(kind="workspaces.make_slot", target_id=slot.pk, actor=SYSTEM, now=now)
        asked += 1
    return asked


def add_slot() -> SchemaSlot:
    """The row of a slot whose schema is still to be made. The row comes first: no schema is ever without one."""
    identifier = new_id()
    slot: SchemaSlot = SchemaSlot.objects.create(id=identifier, schema_name=schema_for(identifier))
    return slot


def make_slot(*, slot_id: UUID) -> None:
    """Make the schema of a slot and let it be claimed; nothing when that has happened already.

    The row stays locked meanwhile, so a worker that comes too late can't replace a schema that somebody has claimed.
    """
    with transaction.atomic():
        slot = SchemaSlot.objects.select_for_update().filter(pk=slot_id).first()
        if slot is None or slot.status != SlotStatus.MAKING:
            return
        fingerprint = create_schema(slot.schema_name)
        slot.move_to(SlotStatus.READY, fingerprint=fingerprint, error="")


# The steps of the operation `workspaces.make_slot`.


def make_schema_step(context: StepContext) -> dict[str, Any]:
    """Make the schema and put the slot into the pool, in one transaction."""
    make_slot(slot_id=context.target)
    return {}


def give_up_slot(context: StepContext) -> None:
    """The operation failed for good: the slot is broken until keep_pool tries anew."""
    slot = SchemaSlot.objects.select_for_update().filter(pk=context.target, status=SlotStatus.MAKING).first()
    if slot is not None:
        slot.move_to(SlotStatus.BROKEN, error="Making this schema failed; its operation tells why.")
