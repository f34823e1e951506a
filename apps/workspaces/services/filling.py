"""Filling the pool of schemas at once, before the first visitor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connection

from apps.common.schema_ddl import release_fingerprint, schema_template
from apps.workspaces.models import SchemaSlot
from apps.workspaces.services.slots import add_slot, make_slot

#: Two connections double the speed on two processors; the work is the server's, so threads are enough.
_PARALLEL = 2


def fill_pool(*, size: int) -> int:
    """Make schemas in this process until ``size`` of this release stand ready; returns how many were made."""
    missing = size - SchemaSlot.objects.ready(release_fingerprint()).count()
    if missing <= 0:
        return 0
    schema_template()  # rendered once, before the threads ask for it
    identifiers = [add_slot().pk for _ in range(missing)]
    if missing == 1 or connection.in_atomic_block:
        for identifier in identifiers:
            make_slot(slot_id=identifier)
        return missing
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for _ in pool.map(_make_in_thread, identifiers):
            pass
    return missing


def _make_in_thread(slot_id: UUID) -> None:
    try:
        make_slot(slot_id=slot_id)
    finally:
        connection.close()
