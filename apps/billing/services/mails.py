"""Mail to those who look after a workspace, about its limits: written with what it tells of, in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings

from apps.accounts.services.notices import send_message
from apps.billing.models import Quota
from apps.common.amounts import describe_amount
from apps.common.tenancy import enter_public
from apps.plans.selectors.dimensions import find_dimension
from apps.workspaces.selectors.memberships import addresses_with_code

#: Who gets it: those who may take back what was reported, owners and admins unless roles say otherwise.
_CODE = "billing.correct"


def mail_keepers(kind: str, quota: Quota, *, workspace: Any, limit: int | None, now: datetime, **context: Any) -> int:
    """Queue the message ``kind`` (``templates/billing/email``) for everyone who looks after the workspace; returns how
    many there are."""
    dimension = find_dimension(quota.dimension)
    unit, name = (dimension.unit, dimension.name) if dimension else ("", quota.dimension)
    known = {
        "workspace": workspace.display_name or workspace.name,
        "name": name,
        "used": describe_amount(quota.used, unit),
        "limit": "unlimited" if limit is None else describe_amount(limit, unit),
        "resets_at": quota.period_end,
        "link": f"{settings.BASE_URL}/admin/w/{workspace.slug}/billing/quota/",
        **context,
    }
    with enter_public():
        addresses = addresses_with_code(workspace_id=workspace.id, code=_CODE)
        for address in addresses:
            send_message(kind=f"billing/email/{kind}", to=address, context=known, now=now)
    return len(addresses)
