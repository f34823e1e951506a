"""Queries on the trail: they read and append."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self

from django.db import models

from apps.audit.errors import TrailIsAppendOnly
from apps.common.querysets import TenantQuerySet

if TYPE_CHECKING:
    from apps.audit.models import AuditEvent  # noqa: F401 - named in strings


class AuditEventQuerySet(TenantQuerySet["AuditEvent"]):
    """Acts, newest first unless said otherwise."""

    def between(self, since: datetime | None, until: datetime | None) -> Self:
        """Those from ``since`` on, and before ``until``."""
        found = self
        if since is not None:
            found = found.filter(at__gte=since)
        if until is not None:
            found = found.filter(at__lt=until)
        return found

    def forget_before(self, moment: datetime, *, limit: int) -> int:
        """Retention, the one way in which acts go: the oldest ``limit`` before ``moment``; returns how many went."""
        self._check()
        oldest = list(self.filter(at__lt=moment).order_by("at", "id").values_list("pk", flat=True)[:limit])
        if not oldest:
            return 0
        return models.QuerySet._raw_delete(self.filter(pk__in=oldest).order_by(), using=self.db)

    def update(self, **kwargs: Any) -> NoReturn:
        raise TrailIsAppendOnly

    def _update(self, values: Any) -> NoReturn:
        raise TrailIsAppendOnly

    def delete(self) -> NoReturn:
        raise TrailIsAppendOnly

    def _raw_delete(self, using: str | None) -> NoReturn:
        raise TrailIsAppendOnly

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> NoReturn:
        raise TrailIsAppendOnly
