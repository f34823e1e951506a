"""Acts stay as they were written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.audit.errors import TrailIsAppendOnly
from apps.audit.models import AuditEvent
from apps.audit.services import Target, mask_secrets, record_act, record_act_in
from apps.common.actors import SYSTEM
from apps.common.tenancy import enter

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> AuditEvent:
    return record_act(actor=SYSTEM, action="test.act", target=Target(kind="thing"), now=timezone.now())


@pytest.mark.parametrize(
    "tamper",
    [
        lambda row: row.save(),
        lambda row: row.delete(),
        lambda row: AuditEvent.objects.update(action="x"),
        lambda row: AuditEvent.objects.filter(pk=row.pk).delete(),
        lambda row: AuditEvent.objects.bulk_update([row], ["action"]),
        lambda row: AuditEvent._base_manager.filter(pk=row.pk).delete(),
        lambda row: AuditEvent._base_manager.filter(pk=row.pk).update(action="x"),
        lambda row: AuditEvent.objects.update_or_create(pk=row.pk, defaults={"action": "x"}),
    ],
)
def test_nothing_changes_or_deletes_an_act(row: AuditEvent, tamper: Any) -> None:
    row.action = "changed"
    with pytest.raises(TrailIsAppendOnly):
        tamper(row)
    assert AuditEvent.objects.get(pk=row.pk).action == "test.act"


def test_retention_forgets_old_acts_in_every_trail_and_says_so(workspace: Any, capsys: Any) -> None:
    now = timezone.now()
    for age in (1, 400):
        moment = now - timedelta(days=age)
        record_act(actor=SYSTEM, action=f"test.{age}", target=Target(kind="thing"), now=moment)
        record_act_in(workspace, actor=SYSTEM, action=f"test.{age}", target=Target(kind="thing"), now=moment)
    call_command("forget_audit", days=365)
    assert workspace.schema_name in capsys.readouterr().out
    for where in (None, workspace):
        if where is None:
            actions = set(AuditEvent.objects.values_list("action", flat=True))
        else:
            with enter(where):
                actions = set(AuditEvent.objects.values_list("action", flat=True))
        assert {"test.1", "audit.forget"} <= actions
        assert "test.400" not in actions


def test_secrets_never_reach_the_trail() -> None:
    masked = mask_secrets(
        {
            "password": ["old", "new"],
            "name": ["a", "b"],
            "config": {"smtp": {"secret_key": "x", "host": "h"}, "list": [{"token": "t"}]},
            "api_token": "t",
        }
    )
    assert masked == {
        "password": ["••••", "••••"],
        "name": ["a", "b"],
        "config": {"smtp": {"secret_key": "••••", "host": "h"}, "list": [{"token": "••••"}]},
        "api_token": "••••",
    }


def test_act_of_a_workspace_without_a_schema_is_in_the_platforms_trail(workspace: Any) -> None:
    workspace.fingerprint = ""
    record_act_in(workspace, actor=SYSTEM, action="test.early", target=Target(kind="thing"), now=timezone.now())
    assert AuditEvent.objects.filter(action="test.early").exists()
