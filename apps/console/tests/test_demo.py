"""The demo: made once, whole, and described so that scripts can drive it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

from apps.applications.models import App, Release
from apps.common.tenancy import enter
from apps.console.services.demo import FINANCE, OPERATOR_EMAIL, USER_EMAIL, make_demo, read_demo
from apps.workspaces.models import Membership
from apps.workspaces.selectors import find_workspace

pytestmark = pytest.mark.django_db


def _logins() -> Any:
    return get_user_model().objects


def test_demo_is_described_for_scripts() -> None:
    described = make_demo(now=timezone.now(), known={})
    assert set(described) == {"base_url", "operator", "user", "api_key", "workspaces"}
    for kind in ("operator", "user"):
        person = _logins().get(email=described[kind]["email"])
        assert person.check_password(described[kind]["password"])
    assert [len(workspace["apps"]) for workspace in described["workspaces"]] == [2, 1]
    for workspace in described["workspaces"]:
        for app in workspace["apps"]:
            assert app["url"] == f"{described['base_url']}/runtime/{workspace['slug']}/{app['slug']}"


def test_operator_is_an_operator_only() -> None:
    make_demo(now=timezone.now(), known={})
    operator, person = _logins().get(email=OPERATOR_EMAIL), _logins().get(email=USER_EMAIL)
    assert (operator.is_staff, person.is_staff) == (True, False)
    finance = find_workspace(FINANCE)
    assert not Membership.objects.filter(workspace=finance, user=operator).exists()
    assert Membership.objects.get(workspace=finance, user=person).role.code == "owner"


def test_loan_schedule_has_three_versions_and_a_rollback() -> None:
    make_demo(now=timezone.now(), known={})
    with enter(find_workspace(FINANCE)):  # type: ignore[arg-type]
        app = App.objects.get(slug="loan-schedule")
        history = [(row.kind, row.version.number) for row in Release.objects.filter(app=app).order_by("sequence")]
        assert history == [("publish", 1), ("publish", 2), ("publish", 3), ("rollback", 2)]
        assert app.current_release.version.number == 2


def test_repeating_makes_nothing_twice_and_keeps_the_logins() -> None:
    first = make_demo(now=timezone.now(), known={})
    assert make_demo(now=timezone.now(), known=first) == first


def test_lost_description_gets_new_passwords() -> None:
    first = make_demo(now=timezone.now(), known={})
    second = make_demo(now=timezone.now(), known={})
    assert second["user"]["password"] != first["user"]["password"]
    assert _logins().get(email=USER_EMAIL).check_password(second["user"]["password"])


def test_command_writes_a_private_file(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"
    call_command("demo", verbosity=0)
    written = tmp_path / "data" / "demo.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert json.loads(written.read_text()) == read_demo(written)


def test_damaged_description_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{")
    assert read_demo(tmp_path / "demo.json") == {}


def test_every_demo_app_says_what_it_is_for() -> None:
    make_demo(known={}, now=timezone.now())
    for slug in ("finance-desk", "shopping-club"):
        workspace = find_workspace(slug)
        assert workspace is not None
        with enter(workspace):
            assert all(App.objects.exclude(slug="home").values_list("description", flat=True))
