"""The statements that count use: each is one round trip, and whole or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from apps.billing.states import ReservationStatus
from apps.common.ids import new_id
from apps.common.querysets import TenantQuerySet


@dataclass(frozen=True, slots=True)
class Use:
    """Something that was used, on its way into the ledger. ``hour`` and ``day`` are the beginnings of its buckets."""

    dimension: str
    amount: int
    app_id: UUID | None
    source: str
    occurred_at: datetime
    hour: datetime
    day: datetime
    idempotency_key: str | None = None
    fingerprint: str = ""
    note: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """The quota after a use was counted, and the id of its entry in the ledger."""

    event_id: UUID
    answer: dict[str, Any]
    used: int
    soft_limit: int | None
    hard_limit: int | None
    alerted: int


class QuotaSeed(NamedTuple):
    """What a new quota has of its own; its limits are the plan's."""

    id: UUID
    dimension: str
    kind: str
    reset: str
    period_start: datetime
    period_end: datetime | None
    valid_until: datetime


class QuotaQuerySet(TenantQuerySet[Any]):
    """Quotas of the entered workspace."""

    def open_all(self, seeds: Sequence[QuotaSeed], *, plan_code: str, anchor: date) -> None:
        """Insert the quotas that are missing, with the limits of a plan, in one statement."""
        self._check()
        columns = [list(column) for column in zip(*seeds, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_ALL, [anchor, *columns, plan_code])

    def valid_at(self, now: datetime) -> QuotaQuerySet:
        """Those whose period and limits hold at ``now``."""
        return self.filter(valid_until__gt=now)

    def with_room_for(self, amount: int) -> QuotaQuerySet:
        """Those with room for so much more."""
        return self.filter(
            Q(hard_limit=None) | Q(overage_allowed=True) | Q(hard_limit__gte=F("used") + F("reserved") + amount)
        )

    def count_use(self, use: Use, *, now: datetime) -> Counted | None:
        """Count ``use`` in its quota, the ledger and the buckets of its app, in one statement.

        None when the quota isn't there, not a counter, out of date, or has no room: then nothing was counted.

        Raises IntegrityError when its key is in the ledger already (unique).
        """
        self._check()
        event_id = new_id()
        values: dict[str, Any] = {
            "id": event_id,
            "dimension": use.dimension,
            "amount": use.amount,
            "app": use.app_id,
            "source": use.source,
            "at": use.occurred_at,
            "key": use.idempotency_key,
            "fingerprint": use.fingerprint,
            "note": use.note,
            "actor": use.actor,
            "now": now,
            "hour": use.hour,
            "day": use.day,
            "hour_id": new_id(),
            "day_id": new_id(),
        }
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_USE, values)
            row = cursor.fetchone()
        return None if row is None else Counted(event_id, json.loads(row[0]), *row[1:])


class UsageEventQuerySet(TenantQuerySet[Any]):
    """The ledger of the entered workspace."""

    def in_period(self, dimension: str, period_start: datetime) -> UsageEventQuerySet:
        """What counts in one period of a dimension."""
        return self.filter(dimension=dimension, period_start=period_start)

    def total(self) -> int:
        """The sum of their amounts."""
        return int(self.aggregate(total=Coalesce(Sum("amount"), 0))["total"])


class AppUsageQuerySet(TenantQuerySet[Any]):
    """Sums by app and time."""

    def add(self, uses: Iterable[Use]) -> None:
        """Add to the hour and the day of each."""
        self._check()
        sums: dict[tuple[UUID | None, str, str, datetime], int] = {}
        for use in uses:
            for bucket, start in (("hour", use.hour), ("day", use.day)):
                key = (use.app_id, use.dimension, bucket, start)
                sums[key] = sums.get(key, 0) + use.amount
        if not sums:
            return
        # In one order, so that two who add to the same buckets don't wait for each other in a circle.
        ordered = sorted(sums.items(), key=lambda item: (item[0][2], item[0][3], item[0][1], str(item[0][0])))
        columns: list[list[Any]] = [[], [], [], [], [], []]
        for (app, dimension, bucket, start), amount in ordered:
            for column, value in zip(columns, (new_id(), app, dimension, bucket, start, amount), strict=True):
                column.append(value)
        with connection.cursor() as cursor:
            cursor.execute(_ADD_TO_BUCKETS, columns)

    def take_back(self, amount: int, *, dimension: str, app_id: UUID | None, occurred_at: datetime) -> None:
        """Take ``amount`` from the hour and the day in which a use was counted; where a bucket is gone, from none.

        The day is the last one to begin before the use: the time zone of its beginning may have been another one.
        """
        of_use = self.filter(dimension=dimension, app_id=app_id, start__lte=occurred_at)
        for bucket, longest in (("hour", timedelta(hours=1)), ("day", timedelta(hours=25))):
            last = of_use.filter(bucket=bucket, start__gt=occurred_at - longest).order_by("-start").values("pk")[:1]
            self.filter(pk__in=last).update(amount=F("amount") - amount)


class ReservationQuerySet(TenantQuerySet[Any]):
    """What is set aside."""

    def held(self) -> ReservationQuerySet:
        return self.filter(status=ReservationStatus.HELD)

    def expired_at(self, now: datetime) -> ReservationQuerySet:
        """Those that are held and whose time is over."""
        return self.held().filter(expires_at__lte=now)


class LeaseQuerySet(TenantQuerySet[Any]):
    """What processes hold."""

    def expired_at(self, now: datetime) -> LeaseQuerySet:
        """Those whose holder has been silent for too long."""
        return self.filter(expires_at__lte=now)


_OPEN_ALL = """
INSERT INTO billing_quota (id, dimension, kind, reset, soft_limit, hard_limit, overage_allowed, limit_source, used,
    reserved, overage, anchor, period_start, period_end, valid_until, alerted)
SELECT seed.id, seed.dimension, seed.kind, seed.reset, planned.soft_limit, planned.hard_limit,
    COALESCE(planned.overage, false), 'plan', 0, 0, 0, %s, seed.period_start, seed.period_end, seed.valid_until, 0
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
    AS seed (id, dimension, kind, reset, period_start, period_end, valid_until)
LEFT JOIN plans_planlimit AS planned ON planned.plan_id = %s AND planned.dimension_id = seed.dimension
ON CONFLICT (dimension) DO NOTHING
"""

_BUCKETS = """
    INSERT INTO billing_appusage AS kept (id, app_id, dimension, bucket, start, amount)
    {rows}
    ON CONFLICT (bucket, start, dimension, app_id) DO UPDATE SET amount = kept.amount + EXCLUDED.amount
"""

_ADD_TO_BUCKETS = _BUCKETS.format(
    rows="SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::int8[])"
)

_ADD_ONE = _BUCKETS.format(
    rows="""SELECT bucket.id, %(app)s::uuid, %(dimension)s, bucket.name, bucket.start, %(amount)s FROM answered,
    (VALUES (%(hour_id)s::uuid, 'hour', %(hour)s::timestamptz), (%(day_id)s::uuid, 'day', %(day)s::timestamptz))
        AS bucket (id, name, start)"""
)

#: One statement, so that a use is counted everywhere or nowhere, with one trip to the server: the quota's row is
#: locked for the shortest time there is. Values are bound; what a replay will be told is made where it is true.
_COUNT_USE = f"""
WITH quota AS (
    UPDATE billing_quota
    SET used = used + %(amount)s,
        overage = overage + CASE WHEN hard_limit IS NULL THEN 0
            ELSE GREATEST(0, LEAST(%(amount)s, used + %(amount)s - hard_limit)) END
    WHERE dimension = %(dimension)s AND kind = 'counter' AND valid_until > %(now)s
        AND (hard_limit IS NULL OR overage_allowed OR used + reserved + %(amount)s <= hard_limit)
    RETURNING used, reserved, overage, soft_limit, hard_limit, overage_allowed, period_start, period_end, alerted,
        CASE WHEN hard_limit IS NULL THEN 0 ELSE GREATEST(0, LEAST(%(amount)s, used - hard_limit)) END AS over
), answered AS (
    SELECT quota.*, jsonb_build_object(
        'id', %(id)s::text, 'dimension', %(dimension)s::text, 'amount', %(amount)s::int8, 'overage', over,
        'used', used, 'reserved', reserved, 'soft_limit', soft_limit, 'hard_limit', hard_limit,
        'overage_allowed', overage_allowed, 'over_soft_limit', COALESCE(used > soft_limit, false),
        'period_start', to_char(period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'resets_at', to_char(period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) AS answer FROM quota
), event AS (
    INSERT INTO billing_usageevent (id, dimension, amount, overage, app_id, source, occurred_at, period_start,
        idempotency_key, fingerprint, answer, note, actor, corrects_id)
    SELECT %(id)s, %(dimension)s, %(amount)s, over, %(app)s, %(source)s, %(at)s, period_start, %(key)s, %(fingerprint)s,
        CASE WHEN %(key)s::text IS NULL THEN NULL ELSE answer END, %(note)s, %(actor)s, NULL
    FROM answered
), buckets AS (
    {_ADD_ONE}
)
SELECT answer, used, soft_limit, hard_limit, alerted FROM answered
"""  # noqa: S608 - the text is ours throughout
