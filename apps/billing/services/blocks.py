"""What a process holds of the quotas of workspaces, in memory: blocks, what was spent of them, and refusals."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Protocol
from uuid import UUID

from django.conf import settings

from apps.billing.errors import quota_exceeded
from apps.billing.services.leases import Block
from apps.common.errors import AppRunError, Unavailable
from apps.plans.selectors.dimensions import find_dimension

FIRST_BLOCK = 8
"""Units that are asked for while nothing is known of the rate."""
GROWTH = 4
"""How many times larger than the last one a block may be: a burst of a millisecond isn't a rate."""


class Metered(Protocol):
    """The workspace that uses something: its row, or what stands for it."""

    @property
    def id(self) -> UUID: ...
    @property
    def schema_name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing may be spent now. ``resets_at`` None is never; ``is_unavailable`` says that nobody could be asked."""

    dimension: str
    hard_limit: int | None = None
    used: int = 0
    reserved: int = 0
    period_end: datetime | None = None
    is_unavailable: bool = False

    @property
    def resets_at(self) -> datetime | None:
        """When the quota starts anew."""
        return self.period_end

    def as_error(self, *, asked: int = 1) -> AppRunError:
        """QuotaExceeded with all that members may know, or Unavailable."""
        if self.is_unavailable:
            return Unavailable("What may still be used can't be looked up now. Try again in a few seconds.")
        known = find_dimension(self.dimension)
        name, unit = (known.name, known.unit) if known else (self.dimension, "")
        return quota_exceeded(self, name=name, unit=unit, asked=asked)


class Account:
    """What this process knows of one dimension of one workspace. Everything but ``asking`` is under ``lock``.

    ``units`` are leased and free, ``held`` leased and in use by somebody who doesn't know yet how many they need;
    ``spent`` is what no report has taken yet, ``sending`` the report that isn't known to have arrived.
    """

    __slots__ = (
        "asking", "deadline", "dimension", "generation", "held", "lock", "refusal", "refused_amount",
        "refused_until", "report", "reported_at", "sending", "source", "spent", "units", "wanted", "workspace",
    )  # fmt: skip

    def __init__(self, workspace: Metered, dimension: str, source: str, now: float) -> None:
        self.workspace = workspace
        self.dimension = dimension
        self.source = source
        self.lock = threading.Lock()
        self.asking = threading.Lock()
        self.units = 0
        self.held = 0
        self.generation = 0
        self.deadline = float("-inf")
        self.spent: dict[UUID | None, int] = {}
        self.sending: dict[UUID | None, int] | None = None
        self.report = ""
        self.wanted = FIRST_BLOCK
        self.reported_at = now
        self.refusal: Refusal | None = None
        self.refused_amount = 0
        self.refused_until = float("-inf")

    def take(self, amount: int, now: float) -> bool:
        """Take from the block, if it has as much and may still be spent. Under ``lock``."""
        if self.units < amount or now >= self.deadline:
            return False
        self.units -= amount
        return True

    def spend(self, app_id: UUID | None, amount: int) -> None:
        """Note for the next report. Under ``lock``."""
        self.spent[app_id] = self.spent.get(app_id, 0) + amount

    def keep(self, now: float) -> int:
        """The units that this process has of its lease, if it may still spend them. Under ``lock``."""
        if now >= self.deadline:
            self.units = 0
        return self.units + self.held

    def wants(self, now: float) -> int:
        """Units that LEASE_AHEAD needs at the rate since the last report; grows and falls in steps. Under ``lock``."""
        spent = sum(self.spent.values())
        if spent:
            rate = spent / max(now - self.reported_at, 0.001)
            wanted = ceil(rate * settings.LEASE_AHEAD.total_seconds())
            wanted = max(min(wanted, self.wanted * GROWTH), self.wanted // 2, 1)
        else:
            wanted = max(self.wanted // 2, FIRST_BLOCK)
        self.wanted = min(wanted, int(settings.LEASE_BLOCK_MAX))
        return self.wanted

    def renewed(self, block: Block, kept: int, asked_at: float) -> None:
        """The report has arrived, and there is a new block: ``kept`` were left when it was asked for. Under
        ``lock``."""
        meanwhile = kept - self.units - self.held
        if block.kept < kept:
            # The lease had expired; what was set aside of it is no longer ours.
            self.generation += 1
            self.held = 0
        self.units = max(0, block.units - self.held - meanwhile)
        self.deadline = asked_at + (settings.LEASE_LIFETIME - settings.LEASE_MARGIN).total_seconds()
        self.sending = None
        self.reported_at = asked_at
        self.refused_until = float("-inf")


class Hold:
    """Units set aside for something whose need is known only at its end. ``settle`` it in any case."""

    __slots__ = ("_account", "_generation", "units")

    def __init__(self, account: Account, units: int, generation: int | None) -> None:
        self._account = account
        self._generation = generation
        self.units = units

    def settle(self, *, app_id: UUID | None, amount: int) -> None:
        """Spend ``amount`` of it, at most all; the rest is free again. A second time does nothing."""
        account, units = self._account, self.units
        if not units:
            return
        self.units, amount = 0, min(amount, units)
        with account.lock:
            if self._generation == account.generation:
                account.held -= units
                account.units += units - amount
            if amount:
                account.spend(app_id, amount)
