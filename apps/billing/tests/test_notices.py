"""Who hears of limits, how often, and in which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from apps.accounts.services.mail import deliver_due_mail
from apps.billing.services.consumption import consume
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.common.ids import new_id
from apps.events.models import Event
from apps.workspaces.services.plans import change_plan

pytestmark = pytest.mark.django_db

REQUESTS = "runtime.requests"


def use(workspace: Any, amount: int, *, now: Any = None, dimension: str = REQUESTS) -> None:
    consume(
        workspace=workspace,
        dimension=dimension,
        amount=amount,
        key=str(new_id()),
        source="api",
        actor="",
        now=now or timezone.now(),
    )


def received() -> list[tuple[str, str]]:
    deliver_due_mail(now=timezone.now() + timedelta(minutes=1))
    return [(message.subject, message.body) for message in mail.outbox]


def test_owners_are_told_at_80_and_at_100_percent_once_each(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 1_000)
    use(entered, 799)
    assert received() == []
    for amount in (1, 50, 150):
        use(entered, amount)
    with pytest.raises(QuotaExceeded):
        use(entered, 1)
    (first, first_body), (second, second_body) = received()
    assert first == "Test workspace: App requests at 80 %"
    assert second == "Test workspace: App requests at 100 %"
    assert "has used 800 of 1,000 (App requests)" in first_body
    assert "more is refused until" in second_body
    assert f"/admin/w/{entered.slug}/billing/quota/" in second_body


def test_a_new_period_is_told_of_anew(entered: Any) -> None:
    now = timezone.now()
    use(entered, 90_000, now=now)
    use(entered, 90_000, now=now + timedelta(days=40))
    assert Event.objects.filter(type="quota.threshold_reached").count() == 2


def test_where_overage_is_allowed_nobody_is_told_of_a_refusal(entered: Any, limit: Any) -> None:
    limit(REQUESTS, 10, overage=True)
    use(entered, 12)
    ((_, body),) = received()
    assert "counted apart" in body


def test_a_grace_is_told_with_its_end(entered: Any) -> None:
    now = timezone.now()
    change_plan(workspace_id=entered.id, plan_code="team", actor=SYSTEM, now=now)
    entered.refresh_from_db()
    use(entered, 300_000, now=now, dimension="ai.tokens")
    change_plan(workspace_id=entered.id, plan_code="free", actor=SYSTEM, now=now)
    ((subject, body),) = received()
    assert subject == "Test workspace: AI tokens is above its new limit"
    assert "is now 200,000; 300,000 are used" in body
    assert f"{now + timedelta(days=14):%-d %B %Y}" in body
