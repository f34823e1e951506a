"""The filters on API keys and decisions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from apps.access.models import ApiKey, Decision  # noqa: F401 - named in strings


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """API keys."""

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(membership__workspace_id=workspace_id)

    def of_member(self, membership_id: UUID | None) -> Self:
        return self.filter(membership_id=membership_id)

    def with_everything(self) -> Self:
        """With all that says what a key may do now: its member, the role, the workspace, the person."""
        return self.select_related("membership__workspace", "membership__role", "membership__user")

    def unseen_since(self, moment: datetime) -> Self:
        """Those whose last use was noted before ``moment``, or never."""
        return self.filter(Q(last_used_at=None) | Q(last_used_at__lte=moment))


class DecisionQuerySet(models.QuerySet["Decision"]):
    """Refusals that are kept."""

    def made_before(self, moment: datetime) -> Self:
        return self.filter(at__lt=moment)
