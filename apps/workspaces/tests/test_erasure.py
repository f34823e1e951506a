"""An erased person leaves their workspaces in order."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.errors import ErasureObstructed
from apps.accounts.services.personal_data import erase_person, export_personal_data
from apps.accounts.tests.factories import act_as
from apps.workspaces.models import Invitation, Membership, Workspace
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


def erase(user: Any) -> None:
    actor = act_as(user)
    erase_person(user=user, actor=actor, now=timezone.now())


def test_last_owner_of_other_peoples_workspace_is_not_erased(workspace: Any, user: Any, make_user: Any) -> None:
    add_member(workspace, make_user(), "admin")
    with pytest.raises(ErasureObstructed) as refused:
        erase(user)
    assert workspace.name in refused.value.detail
    assert Membership.objects.get(workspace=workspace, user=user).status == "active"


def test_other_owner_takes_over(workspace: Any, user: Any, make_user: Any) -> None:
    heir = make_user()
    add_member(workspace, heir, "owner")
    erase(user)
    workspace.refresh_from_db()
    assert (workspace.owner_id, workspace.status) == (heir.pk, "active")
    assert Membership.objects.get(workspace=workspace, user=user).status == "left"


def test_what_was_theirs_alone_is_closed_and_other_memberships_end(
    workspace: Any, user: Any, make_user: Any, api: Any
) -> None:
    ann = make_user(email="ann@example.com")
    add_member(workspace, ann, "developer")
    api.post(f"/api/v1/workspaces/{workspace.slug}/members", {"email": "bob@example.com", "role": "viewer"})
    own = Workspace.objects.get(owner=ann)
    erase(ann)
    own.refresh_from_db()
    assert own.status == "closing"
    assert Membership.objects.get(workspace=workspace, user=ann).status == "left"
    bob = make_user(email="bob@example.com")
    erase(bob)
    assert Invitation.objects.get(email="bob@example.com").status == "revoked"


def test_memberships_are_part_of_a_persons_data(workspace: Any, user: Any) -> None:
    actor = act_as(user)
    data = export_personal_data(user=user, actor=actor, now=timezone.now())
    assert {"workspace": workspace.slug, "role": "owner"}.items() <= next(
        item for item in data["memberships"] if item["workspace"] == workspace.slug
    ).items()
