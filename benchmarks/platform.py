"""The platform's side of a measurement: its database, a workspace with apps, a key, a published page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

from apps.access.services.keys import create_key
from apps.applications.models import AccessPolicy, App
from apps.applications.selectors.examples import LOAN_SCHEDULE, example_definition
from apps.applications.services.access_policies import change_access_policy
from apps.applications.services.apps import create_app
from apps.applications.services.publishing import publish
from apps.common.actors import Actor, ActorKind
from apps.common.permissions import operator_grant, resolver
from apps.common.tenancy import enter
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.plans import change_plan


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace to measure in, with a key that may do all that its owner may."""

    workspace: Any
    actor: Actor
    key: str


def prepare_database(*, slots: int) -> None:
    """Migrate the public schema and fill the pool."""
    call_command("migrate_schemas", shared=True, verbosity=0, interactive=False)
    call_command("bootstrap", slots=slots, verbosity=0)


def make_place() -> Place:
    """A workspace ``bench`` with an owner and a key."""
    now = timezone.now()
    owner = get_user_model().objects.create_user(email="bench@example.com")
    actor = Actor(kind=ActorKind.USER, id=owner.pk, name="Bench", user_id=owner.pk)
    workspace = create_workspace(owner=owner, name="Bench", slug="bench", actor=actor, now=now)
    # A load is more than a small plan allows.
    workspace = change_plan(workspace_id=workspace.id, plan_code="business", actor=actor, now=now)
    grant = resolver().grant_for(actor, workspace.slug)
    assert grant is not None, "the owner is a member"
    scopes = sorted(operator_grant(workspace).codes)
    made = create_key(workspace=workspace, name="Bench", scopes=scopes, actor=actor, grant=grant, now=now)
    return Place(workspace=workspace, actor=actor, key=made.presented)


def publish_loan_schedule(place: Place, *, slug: str = "loan") -> None:
    """The loan schedule, published and open to everyone, with limits that a load doesn't reach."""
    now = timezone.now()
    with enter(place.workspace):
        app = create_app(
            workspace=place.workspace,
            actor=place.actor,
            name="Loan",
            slug=slug,
            definition=example_definition(LOAN_SCHEDULE),
            now=now,
        )
        change_access_policy(
            app_id=app.pk,
            workspace=place.workspace,
            actor=place.actor,
            changes={"audience": "public"},
            may_expose=True,
            expected=None,
            now=now,
        )
        # The load is one visitor, faster than any limit that a policy may have.
        AccessPolicy.objects.filter(app=app).update(visitor_limit=2_000_000_000, app_limit=2_000_000_000)
        publish(app_id=app.pk, workspace=place.workspace, actor=place.actor, now=now, may_expose=True)


def add_apps(place: Place, count: int) -> None:
    """Many drafts, written in bulk: a list to page through."""
    with enter(place.workspace):
        draft = {"schema_version": 1, "page": {"title": "Bench", "blocks": []}, "actions": {}}
        rows = (App(slug=f"app-{number}", name=f"App {number}", draft=draft) for number in range(count))
        App.objects.bulk_create(rows, batch_size=5000)
