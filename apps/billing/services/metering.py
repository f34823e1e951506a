"""Metering in a process: units are leased in blocks, spent under a lock of the process, and reported once a second.

Only the first use in a process, and one that finds the block used up, wait for the database; the process's background
thread (``flush``) renews blocks before that. All processes together never spend more than a hard limit allows:

- what a process may spend is part of the quota's ``reserved``; it stops LEASE_MARGIN before that ends, by a clock that
  goes on while the process is stopped, and even while its host sleeps;
- a forked process starts with nothing, under a name of its own;
- a report whose answer was lost is sent again under the same name, and counts once.

A process that is killed loses what it spent since its last report: at most RUNTIME_EVENT_FLUSH's worth, as with the
events of visitors; what it held comes back when its lease expires. Stopped in order (``close``) it loses nothing.

While PostgreSQL is away, what is leased is spent; after that it is as the dimension says: ``open`` goes on, counted
here and reported later, ``closed`` refuses.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, ProgrammingError, connection, transaction
from django.utils import timezone

from apps.billing.services.blocks import Account, Hold, Metered, Refusal
from apps.billing.services.leases import Block, renew_lease
from apps.common.tenancy import enter, enter_public
from apps.plans.selectors.dimensions import find_dimension
from apps.plans.services.catalogue import DIMENSIONS
from apps.workspaces.selectors import find_workspace

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAILURE = 1.0
"""Seconds without another try at the database after one has failed."""
FORGET_AFTER = 60.0
"""Seconds after which a workspace that used nothing is forgotten."""

_AWAY = (OperationalError, InterfaceError)


class Meter:
    """The meter of a process. ``clock`` gives seconds that never stand still, ``wall`` the moment."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] | None = None,
        wall: Callable[[], datetime] = timezone.now,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock or _seconds
        self._wall = wall
        #: Called before anything is leased: whoever calls ``flush`` makes sure that they will.
        self.started = started
        self.forget()

    def forget(self) -> None:
        """Start with nothing, under a new name. What was leased expires; what wasn't reported is lost."""
        self._lock = threading.Lock()
        self._accounts: dict[tuple[UUID, str], Account] = {}
        self._away_until = float("-inf")
        self._is_away = False
        self.holder = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(8)}"

    # --- Spending -----------------------------------------------------------------------------------------------------

    def spend(
        self, workspace: Metered, dimension: str, app_id: UUID | None, amount: int = 1, *, source: str = "runtime"
    ) -> Refusal | None:
        """Use ``amount`` of a counter; None when that is allowed, and then it is counted."""
        account = self._accounts.get((workspace.id, dimension))
        if account is not None:
            now = self._clock()
            with account.lock:
                if account.take(amount, now):
                    account.spend(app_id, amount)
                    return None
                if now < account.refused_until and amount >= account.refused_amount:
                    return account.refusal
        taken = self._ask(workspace, dimension, amount, at_least=amount, source=source)
        if isinstance(taken, Refusal):
            return taken
        account = taken.account
        with account.lock:
            if taken.generation == account.generation:
                account.held -= amount
            account.spend(app_id, amount)
        return None

    def hold(self, workspace: Metered, dimension: str, most: int, *, source: str = "runtime") -> Hold:
        """Set aside up to ``most`` units, at least one. Raises QuotaExceeded, Unavailable."""
        taken = self._ask(workspace, dimension, most, at_least=1, source=source)
        if isinstance(taken, Refusal):
            raise taken.as_error()
        return Hold(taken.account, taken.units, taken.generation)

    def refuses(self, workspace: Metered, dimension: str) -> bool:
        """Whether one unit was refused a moment ago. Asks nobody."""
        account = self._accounts.get((workspace.id, dimension))
        return account is not None and self._clock() < account.refused_until and not account.units

    def _account(self, workspace: Metered, dimension: str, source: str) -> Account:
        with self._lock:
            key = (workspace.id, dimension)
            account = self._accounts.get(key)
            if account is None:
                account = self._accounts[key] = Account(workspace, dimension, source, self._clock())
            return account

    def _ask(self, workspace: Metered, dimension: str, amount: int, *, at_least: int, source: str) -> _Taken | Refusal:
        """Set ``amount`` aside, or what there is of it; ask the database when the block hasn't enough."""
        self.started()
        while True:
            account = self._account(workspace, dimension, source)
            # One thread asks; those that wait for it find what it got.
            with account.asking:
                if self._accounts.get((workspace.id, dimension)) is account:
                    return self._ask_for(account, amount, at_least)

    def _ask_for(self, account: Account, amount: int, at_least: int) -> _Taken | Refusal:
        with account.lock:
            now = self._clock()
            if account.take(amount, now):
                account.held += amount
                return _Taken(account, amount, account.generation)
            if account.refusal is not None and now < account.refused_until and at_least >= account.refused_amount:
                return account.refusal
        # What goes on without the database isn't kept waiting for it: ``flush`` finds out when it is back.
        if now < self._away_until or (self._is_away and _on_failure(account.dimension) == "open"):
            return self._take_unasked(account, amount)
        try:
            return self._renew(account, amount=amount, at_least=at_least)
        except _AWAY as problem:
            self._note_away(problem)
            return self._take_unasked(account, amount)

    def _take_unasked(self, account: Account, amount: int) -> _Taken | Refusal:
        """What happens while nobody can be asked: as the dimension says."""
        if _on_failure(account.dimension) == "closed":
            return Refusal(account.dimension, is_unavailable=True)
        return _Taken(account, amount, None)

    # --- Reporting ----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Report what was spent since the last report, renew what is in use, give back what is idle. To be called
        about twice a second."""
        for account in self._known():
            # Whoever asks for it at this moment reports as well.
            if account.asking.acquire(blocking=False):
                try:
                    self._tend(account)
                finally:
                    account.asking.release()

    def close(self) -> None:
        """Report everything and give everything back."""
        for account in self._known():
            with account.asking, self._noting_trouble(account):
                self._renew(account, wanted=0)
            lost = sum(account.spent.values()) + sum((account.sending or {}).values())
            if lost:
                log.error("usage_lost", schema=account.workspace.schema_name, dimension=account.dimension, amount=lost)

    def _known(self) -> list[Account]:
        with self._lock:
            return list(self._accounts.values())

    def _tend(self, account: Account) -> None:
        now = self._clock()
        since = now - account.reported_at
        used = bool(account.spent or account.sending)
        if now < self._away_until:
            return
        if used:
            # A tenth less, because it's called at intervals: better a little early than half an interval late.
            due = since >= settings.RUNTIME_EVENT_FLUSH.total_seconds() * 0.9
            if due or account.units < account.wanted // 4:
                with self._noting_trouble(account):
                    self._renew(account)
        elif account.units and since >= settings.LEASE_IDLE.total_seconds():
            with self._noting_trouble(account):
                self._renew(account, wanted=0)
        elif not account.units and not account.held and since >= FORGET_AFTER:
            self._drop(account)

    def _renew(
        self, account: Account, *, amount: int = 0, at_least: int = 0, wanted: int | None = None
    ) -> _Taken | Refusal:
        """Report, and lease anew; set ``amount`` aside, or what there is of it. Called with ``asking`` held.

        Raises what the database raises: then nothing has changed, and the report is sent again the next time.
        """
        if account.sending is not None:
            with account.lock:
                keep = account.keep(self._clock())
            self._lease(account, keep=keep, repeated=True)
        now = self._clock()
        with account.lock:
            if wanted is None:
                wanted = account.wants(now)
            if account.spent:
                account.sending, account.spent = account.spent, {}
                account.report = f"lease:{secrets.token_hex(16)}"
            # What is above that goes back; what is below is spent on by others while this is under way.
            account.units = min(account.units, 2 * wanted)
            keep = account.keep(now)
        needed = keep + amount if amount else 0
        block = self._lease(account, keep=keep, needed=needed, wanted=wanted + account.held if wanted else 0)
        if block is None:
            return _Taken(account, amount, None)
        with account.lock:
            taken = min(amount, account.units)
            if taken < at_least:
                account.refusal = Refusal(account.dimension, block.limit, block.used, block.reserved, block.resets_at)
                account.refused_amount = at_least
                account.refused_until = now + settings.QUOTA_REFUSED_FOR.total_seconds()
                return account.refusal
            account.units -= taken
            account.held += taken
            return _Taken(account, taken, account.generation)

    def _lease(
        self, account: Account, *, keep: int, needed: int = 0, wanted: int = 0, repeated: bool = False
    ) -> Block | None:
        """Ask the database, in a transaction of its own; None when the workspace is no longer there."""
        now, moment = self._clock(), self._wall()
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        block = None
        try:
            with enter_public():
                workspace = find_workspace(str(account.workspace.id))
            # Durable: a lease that its caller's transaction takes back later would have been spent by then.
            if workspace is not None:
                with enter(account.workspace), transaction.atomic(durable=True):
                    block = renew_lease(
                        workspace=workspace,
                        dimension=account.dimension,
                        holder=self.holder,
                        spent=account.sending or {},
                        wanted=wanted,
                        keep=keep,
                        needed=needed,
                        source=account.source,
                        report=account.report if account.sending else None,
                        repeated=repeated,
                        now=moment,
                    )
        except ProgrammingError as problem:
            if "does not exist" not in str(problem):
                raise
        self._note_back()
        if block is None:
            log.warning("usage_without_a_workspace", schema=account.workspace.schema_name, dimension=account.dimension)
            self._drop(account)
            return None
        with account.lock:
            account.renewed(block, keep, now)
        return block

    def _drop(self, account: Account) -> None:
        with self._lock:
            self._accounts.pop((account.workspace.id, account.dimension), None)

    # --- While the database is away -----------------------------------------------------------------------------------

    @contextmanager
    def _noting_trouble(self, account: Account) -> Any:
        """One account's trouble keeps no other from being reported."""
        try:
            yield
        except _AWAY as problem:
            self._note_away(problem)
        except Exception:
            log.exception("usage_not_reported", schema=account.workspace.schema_name, dimension=account.dimension)

    def _note_away(self, problem: Exception) -> None:
        self._away_until = self._clock() + PAUSE_AFTER_FAILURE
        if not self._is_away:
            self._is_away = True
            log.warning("usage_counted_without_the_database", reason=str(problem)[:200])

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            log.warning("usage_reported_again")


@dataclass(frozen=True, slots=True)
class _Taken:
    """Units set aside; ``generation`` None is of no lease."""

    account: Account
    units: int
    generation: int | None


def _on_failure(dimension: str) -> str:
    """What happens to uses of a dimension while nobody can be asked; as built in, when that can't be read either."""
    try:
        known = find_dimension(dimension)
    except _AWAY:
        return next((on_failure for code, *_, on_failure in DIMENSIONS if code == dimension), "closed")
    return known.on_failure if known else "closed"


def _seconds() -> float:
    """Seconds that also pass while the process is stopped and, on Linux, while its host is suspended."""
    return time.clock_gettime(_CLOCK)


_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

meter = Meter()
"""The meter of this process."""

# A lease belongs to one process: whoever is forked off asks for their own.
os.register_at_fork(after_in_child=meter.forget)
