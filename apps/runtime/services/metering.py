"""What visitors use of their app's workspace: requests, and the runs of actions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from apps.billing.services.metering import meter
from apps.common.errors import QuotaExceeded
from apps.runtime.errors import AppOverAllowance
from apps.runtime.services.recording import background
from apps.runtime.services.resolution import ResolvedApp
from apps.workflows.services.metering import RunUnits, metered_run

REQUESTS = "runtime.requests"

background.add(meter.flush, at_end=meter.close)
meter.started = background.ensure_running


def allows_request(resolved: ResolvedApp) -> bool:
    """Count one request that is about to be answered; whether it may be. Costs no query but for a new block."""
    return meter.spend(resolved.workspace, REQUESTS, resolved.app.id) is None


def was_refused(resolved: ResolvedApp) -> bool:
    """Whether this process learned a moment ago that the app's requests are used up."""
    return meter.refuses(resolved.workspace, REQUESTS)


def count_request(resolved: ResolvedApp) -> None:
    """Count one request that is about to be answered. Raises AppOverAllowance, Unavailable."""
    refusal = meter.spend(resolved.workspace, REQUESTS, resolved.app.id)
    if refusal is not None:
        error = refusal.as_error()
        raise AppOverAllowance(error, resets_at=refusal.resets_at) if isinstance(error, QuotaExceeded) else error


@contextmanager
def count_run(resolved: ResolvedApp) -> Iterator[RunUnits]:
    """Set aside what a run needs, and the request that asks for it. Raises AppOverAllowance, Unavailable."""
    with _told_kindly(), metered_run(resolved.workspace, source="runtime", app_id=resolved.app.id) as units:
        count_request(resolved)
        yield units


@contextmanager
def _told_kindly() -> Iterator[None]:
    try:
        yield
    except AppOverAllowance:
        raise
    except QuotaExceeded as error:
        at = error.extra.get("resets_at")
        raise AppOverAllowance(error, resets_at=datetime.fromisoformat(at) if at else None) from None
