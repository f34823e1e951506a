"""Making workspaces."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.common.actors import SYSTEM
from apps.common.errors import InvalidInput
from apps.common.schema_ddl import release_fingerprint
from apps.common.tenancy import current_schema
from apps.events.models import Event
from apps.operations.models import Operation
from apps.workspaces.errors import SlugTaken, TooManyWorkspaces
from apps.workspaces.models import Membership, SchemaSlot, SlugHold, Workspace
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.signals import workspace_created
from apps.workspaces.states import SlotStatus, WorkspaceStatus


def make(owner: Any, **fields: Any) -> Workspace:
    return create_workspace(**{"owner": owner, "name": "Acme", "actor": SYSTEM, "now": timezone.now(), **fields})


def test_everybody_gets_a_workspace_however_they_were_made(make_user: Any, django_user_model: Any) -> None:
    for person in (
        make_user(name="Ada"),
        django_user_model.objects.create_superuser("op@example.com", "x"),
        django_user_model.objects.create(email="plain@example.com"),
        django_user_model.objects.bulk_create([django_user_model(email="bulk@example.com")])[0],
    ):
        own = Workspace.objects.get(owner=person)
        assert own.status == WorkspaceStatus.ACTIVE
        membership = Membership.objects.get(workspace=own)
        assert (membership.user, membership.role.code, membership.status) == (person, "owner", "active")


def test_saving_a_person_again_makes_no_second_workspace(user: Any) -> None:
    user.name = "Other"
    user.save()
    assert Workspace.objects.filter(owner=user).count() == 1


def test_workspace_is_active_at_once_in_a_schema_of_the_pool(user: Any) -> None:
    before = set(SchemaSlot.objects.filter(status=SlotStatus.READY).values_list("schema_name", flat=True))
    made = make(user)
    assert made.status == WorkspaceStatus.ACTIVE
    assert made.schema_name in before
    assert made.fingerprint == release_fingerprint()
    assert SchemaSlot.objects.get(schema_name=made.schema_name).status == SlotStatus.CLAIMED
    assert Event.objects.filter(type="workspace.created", workspace_id=made.pk).count() == 1


def test_those_who_listen_are_told_inside_the_new_schema(user: Any) -> None:
    seen: list[tuple[str, Any]] = []

    def listen(workspace: Any, **kwargs: Any) -> None:
        seen.append((current_schema(), workspace))

    workspace_created.connect(listen)
    try:
        made = make(user)
    finally:
        workspace_created.disconnect(listen)
    assert seen == [(made.schema_name, made)]
    assert current_schema() == "public"


@pytest.mark.parametrize("name", ["研发团队", "Équipe d’été", "admin", "---", "00000000-0000-7000-8000-000000000000"])
def test_every_name_gets_a_usable_slug(user: Any, name: str) -> None:
    from apps.common.slugs import check_slug

    assert check_slug(make(user, name=name).slug)


def test_derived_slug_gets_a_suffix_when_it_is_taken(user: Any) -> None:
    first, second = make(user, name="Rocket Lab"), make(user, name="Rocket Lab")
    assert first.slug == "rocket-lab"
    assert second.slug.startswith("rocket-lab-")


def test_slug_that_was_asked_for_is_refused_when_it_is_taken(user: Any) -> None:
    make(user, slug="rocket")
    with pytest.raises(SlugTaken):
        make(user, slug="rocket")
    assert Workspace.objects.filter(slug="rocket").count() == 1


@pytest.mark.parametrize("slug", ["admin", "A", "-a", "a" * 64, "0190a1b2c3d4e5f60718293a4b5c6d7e", "from-ai", "", "é"])
def test_slug_that_cannot_be_is_refused(user: Any, slug: str) -> None:
    with pytest.raises(InvalidInput):
        make(user, slug=slug)


def test_slug_that_another_owner_gave_up_lately_is_refused(user: Any, make_user: Any) -> None:
    now = timezone.now()
    SlugHold.objects.create(slug="gone", owner=user, until=now + timezone.timedelta(days=1))
    with pytest.raises(SlugTaken):
        make(make_user(), slug="gone")
    assert make(user, slug="gone").slug == "gone"


def test_fault_06_pool_empty_still_creates_by_an_operation(user: Any) -> None:
    SchemaSlot.objects.filter(status=SlotStatus.READY).update(status=SlotStatus.CLAIMED)
    made = make(user)
    assert made.status == WorkspaceStatus.PROVISIONING
    operation = Operation.objects.get(kind="workspaces.finish")
    assert (operation.status, operation.target_id) == ("queued", str(made.pk))


def test_fault_06_slot_of_an_older_release_is_not_handed_out(user: Any) -> None:
    SchemaSlot.objects.filter(status=SlotStatus.READY).update(fingerprint="older")
    assert make(user).status == WorkspaceStatus.PROVISIONING


def test_one_person_can_own_only_so_many(user: Any, settings: Any) -> None:
    settings.WORKSPACES_PER_OWNER = 2
    make(user)
    with pytest.raises(TooManyWorkspaces):
        make(user)


def test_config_is_checked(user: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(user, config={"theme": {"accent": "red"}})
    assert caught.value.errors[0].pointer == "/config/theme/accent"
