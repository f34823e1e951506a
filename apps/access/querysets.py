"""The filters on API keys and decisions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from apps.access.states import ApiKeyStatus
from apps.workspaces.states import MembershipStatus

if TYPE_CHECKING:
    from apps.access.models import ApiKey, Decision  # noqa: F401 - named in strings


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """API keys."""

    def of_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(membership__workspace_id=workspace_id)

    def of_member(self, membership_id: UUID | None) -> Self:
        return self.filter(membership_id=membership_id)

    def in_the_hands_of(self, user_id: UUID) -> Self:
        """Those of a person's memberships, and those that they made for service accounts."""
        return self.filter(Q(membership__user_id=user_id) | Q(created_by_id=user_id))

    def usable(self) -> Self:
        """Those that weren't revoked, of active members whose account is in use; with member, role and workspace."""
        return self.filter(
            Q(membership__user=None) | Q(membership__user__is_active=True),
            status=ApiKeyStatus.ACTIVE,
            membership__status=MembershipStatus.ACTIVE,
        ).select_related("membership__workspace", "membership__role")

    def unseen_since(self, moment: datetime) -> Self:
        """Those whose last use was noted before ``moment``, or never."""
        return self.filter(Q(last_used_at=None) | Q(last_used_at__lte=moment))


class DecisionQuerySet(models.QuerySet["Decision"]):
    """Refusals that are kept."""

    def made_before(self, moment: datetime) -> Self:
        return self.filter(at__lt=moment)
