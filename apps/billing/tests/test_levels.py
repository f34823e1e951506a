"""Limits of what exists: they hold where it is made, and what is taken away frees its place."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory, act_as
from apps.applications.errors import AppSlugTaken
from apps.applications.models import App
from apps.applications.services.apps import create_app, delete_app, duplicate_app
from apps.billing.models import Quota, UsageEvent
from apps.billing.services.levels import note_level
from apps.billing.tests.factories import quota_of, set_limit
from apps.common.actors import SYSTEM
from apps.common.errors import QuotaExceeded
from apps.common.metering import take_room
from apps.common.permissions import Grant, resolver
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.workspaces.models import Invitation, Workspace
from apps.workspaces.services.invitations import (
    accept_invitation,
    expire_invitations,
    invite_member,
    revoke_invitation,
)
from apps.workspaces.services.members import remove_member
from apps.workspaces.tests.factories import create_test_workspace, token_from_mail


def grant_of(workspace: Any) -> Grant:
    grant = resolver().grant_for(act_as(workspace.owner), workspace.slug)
    assert grant is not None
    return grant


def make_app(workspace: Any, name: str, **details: Any) -> App:
    with enter(workspace):
        return create_app(workspace=workspace, actor=SYSTEM, name=name, now=timezone.now(), **details)


def drop_app(workspace: Any, app: App) -> None:
    with enter(workspace):
        delete_app(
            app_id=app.pk,
            workspace=workspace,
            default_app_id=None,
            actor=SYSTEM,
            expected=None,
            now=timezone.now(),
        )


def invite(workspace: Any, email: str) -> Invitation:
    return invite_member(
        workspace_id=workspace.pk,
        email=email,
        role="developer",
        actor=act_as(workspace.owner),
        grant=grant_of(workspace),
        now=timezone.now(),
    )


class TestApps:
    @pytest.mark.django_db
    def test_the_last_place_is_taken_and_a_deleted_app_frees_its_own(self, workspace: Any) -> None:
        set_limit(workspace, "apps", 2)
        made = make_app(workspace, "Two")
        with pytest.raises(QuotaExceeded) as refused, enter(workspace):
            duplicate_app(app_id=made.pk, workspace=workspace, actor=SYSTEM, now=timezone.now())
        assert refused.value.extra == {
            "dimension": "apps",
            "limit": 2,
            "used": 2,
            "reserved": 0,
            "resets_at": None,
        }
        drop_app(workspace, made)
        assert quota_of(workspace, "apps").used == 1
        make_app(workspace, "Three")
        assert quota_of(workspace, "apps").used == 2

    @pytest.mark.django_db
    def test_over_the_limit_what_exists_can_be_deleted(self, workspace: Any) -> None:
        apps = [make_app(workspace, f"App {number}") for number in range(3)]
        set_limit(workspace, "apps", 1)
        for app in apps:
            with pytest.raises(QuotaExceeded):
                make_app(workspace, "One more")
            drop_app(workspace, app)
        assert quota_of(workspace, "apps").over_since is None

    @pytest.mark.django_db
    def test_what_is_refused_by_something_else_takes_no_place(self, workspace: Any) -> None:
        make_app(workspace, "Two", slug="two")
        with pytest.raises(AppSlugTaken):
            make_app(workspace, "Two again", slug="two")
        assert quota_of(workspace, "apps").used == 2

    @pytest.mark.django_db
    def test_a_level_that_drifted_refuses_nobody_and_is_put_right(self, workspace: Any) -> None:
        set_limit(workspace, "apps", 3)
        with enter(workspace):
            Quota.objects.filter(dimension="apps").update(used=3)
        make_app(workspace, "Two")
        assert quota_of(workspace, "apps").used == 2

    @pytest.mark.django_db
    def test_the_ledger_adds_up_to_the_level(self, workspace: Any) -> None:
        made = [make_app(workspace, f"App {number}") for number in range(3)]
        drop_app(workspace, made[0])
        with enter(workspace):
            assert UsageEvent.objects.filter(dimension="apps").total() == 3
            assert list(UsageEvent.objects.filter(dimension="apps").order_by("id").values_list("amount", "source")) == [
                (1, "measured"),
                (1, "made"),
                (1, "made"),
                (1, "made"),
                (-1, "measured"),
            ]

    @pytest.mark.django_db
    def test_overage_of_a_level_is_allowed_where_the_plan_does(self, workspace: Any) -> None:
        set_limit(workspace, "apps", 1, overage=True)
        make_app(workspace, "Two")
        assert quota_of(workspace, "apps").used == 2

    @pytest.mark.django_db
    def test_a_threshold_is_told(self, workspace: Any) -> None:
        set_limit(workspace, "apps", 2)
        make_app(workspace, "Two")
        told = Event.objects.filter(type="quota.threshold_reached", workspace_id=workspace.pk)
        assert [event.data["threshold"] for event in told] == [100]

    @pytest.mark.django_db
    def test_nothing_is_measured_at_birth(self, workspace: Any) -> None:
        assert quota_of(workspace, "apps").measured_at is None
        with enter(workspace):
            assert not UsageEvent.objects.exists()

    @pytest.mark.django_db
    def test_where_nobody_keeps_quotas_nothing_is_asked(self, workspace: Any, monkeypatch: Any) -> None:
        set_limit(workspace, "apps", 1)
        monkeypatch.setattr("apps.common.metering._keeper", None)
        make_app(workspace, "Two")
        assert quota_of(workspace, "apps").used == 1


def test_eight_want_the_last_three_places(committed_database: str) -> None:
    workspace = create_test_workspace(owner=UserFactory())
    set_limit(workspace, "apps", 4)
    together = threading.Barrier(8)

    def make(number: int) -> bool:
        try:
            together.wait()
            make_app(workspace, "The same name")
        except QuotaExceeded:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 3
    with enter(workspace):
        assert App.objects.count() == 4 == Quota.objects.get(dimension="apps").used


def test_who_makes_what_another_deletes_waits_for_no_circle(committed_database: str) -> None:
    """The same slug is deleted and made anew, over and over, by two at once."""
    workspace = create_test_workspace(owner=UserFactory())
    make_app(workspace, "x", slug="x")
    stop = threading.Event()

    def make() -> int:
        made = 0
        try:
            while not stop.is_set():
                try:
                    make_app(workspace, "x", slug="x")
                    made += 1
                except AppSlugTaken:
                    continue
        finally:
            connection.close()
        return made

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        for _ in range(60):
            with enter(workspace):
                app = App.objects.filter(slug="x").first()
            if app is not None:
                drop_app(workspace, app)
        stop.set()
        assert making.result() > 5


class TestMembers:
    @pytest.mark.django_db
    def test_an_open_invitation_holds_a_place_until_it_is_closed(self, workspace: Any) -> None:
        set_limit(workspace, "members", 2)
        first = invite(workspace, "ann@example.com")
        assert quota_of(workspace, "members").used == 2
        with pytest.raises(QuotaExceeded):
            invite(workspace, "bob@example.com")
        again = invite(workspace, "ann@example.com")
        revoke_invitation(
            workspace_id=workspace.pk, invitation_id=again.pk, actor=act_as(workspace.owner), now=timezone.now()
        )
        assert quota_of(workspace, "members").used == 1
        second = invite(workspace, "bob@example.com")
        assert expire_invitations(now=second.expires_at + timedelta(seconds=1)) == 1
        assert quota_of(workspace, "members").used == 1
        assert Invitation.objects.get(pk=first.pk).status == "revoked"

    @pytest.mark.django_db
    def test_accepting_takes_the_invitations_place_and_leaving_frees_it(
        self, workspace: Any, make_user: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        set_limit(workspace, "members", 2)
        ann = make_user(email="ann@example.com")
        with django_capture_on_commit_callbacks(execute=True):
            invite(workspace, ann.email)
        member = accept_invitation(token=token_from_mail(), actor=act_as(ann), email=ann.email, now=timezone.now())
        assert quota_of(workspace, "members").used == 2
        remove_member(
            workspace_id=workspace.pk,
            membership_id=member.pk,
            actor=act_as(ann),
            grant=grant_of(workspace),
            now=timezone.now(),
        )
        assert quota_of(workspace, "members").used == 1

    @pytest.mark.django_db
    def test_below_what_is_taken_nobody_comes_in_and_the_invitation_stays(
        self, workspace: Any, make_user: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        ann = make_user(email="ann@example.com")
        with django_capture_on_commit_callbacks(execute=True):
            invitation = invite(workspace, ann.email)
        set_limit(workspace, "members", 1)
        with pytest.raises(QuotaExceeded):
            accept_invitation(token=token_from_mail(), actor=act_as(ann), email=ann.email, now=timezone.now())
        invitation.refresh_from_db()
        assert invitation.status == "pending"


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{"fingerprint": ""}, {"purge_started_at": timezone.now()}])
def test_a_workspace_without_tables_has_no_quota_to_ask(workspace: Any, fields: Any) -> None:
    set_limit(workspace, "apps", 0)
    Workspace.objects.filter(pk=workspace.pk).update(status="closed", purge_after=timezone.now(), **fields)
    take_room(workspace_id=workspace.pk, dimension="apps", now=timezone.now())
    note_level(workspace_id=workspace.pk, dimension="apps", now=timezone.now())
    assert quota_of(workspace, "apps").used == 1
