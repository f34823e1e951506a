"""Service accounts: members without a person, for programs that outlive whoever set them up."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor
from apps.common.errors import InvalidInput, NotFound
from apps.common.permissions import Grant
from apps.common.revisions import Expected, require_revision
from apps.events.services import emit_event
from apps.workspaces.errors import ServiceAccountNameTaken
from apps.workspaces.models import Membership
from apps.workspaces.selectors.memberships import codes_of_role
from apps.workspaces.services.rules import find_grantable_role, is_owner, lock_workspace, require_held
from apps.workspaces.signals import member_left
from apps.workspaces.states import MembershipStatus


@transaction.atomic
def create_service_account(
    *, workspace_id: UUID, name: str, role: str, actor: Actor, grant: Grant, now: datetime
) -> Membership:
    """A member without a person, with a ``role`` (id or code) other than owner.

    Raises InvalidInput, GrantsMoreThanHeld, ServiceAccountNameTaken.
    """
    workspace = lock_workspace(workspace_id)
    given = find_grantable_role(workspace=workspace, ref=role, grant=grant)
    if is_owner(given):
        raise InvalidInput.at("/role", "owner_is_a_person", "Only a person can own a workspace. Choose another role.")
    try:
        with transaction.atomic():
            made = Membership.objects.create(workspace=workspace, service_account_name=name, role=given, joined_at=now)
    except IntegrityError as error:
        raise ServiceAccountNameTaken from error
    record_act_in(
        workspace,
        actor=actor,
        action="service_account.create",
        target=Target(kind="service_account", id=str(made.pk), name=name),
        changes={"role": [None, given.code]},
        now=now,
    )
    emit_event(
        type="service_account.created", workspace_id=workspace.pk, data={"service_account": str(made.pk)}, now=now
    )
    return made


@transaction.atomic
def remove_service_account(
    *,
    workspace_id: UUID,
    membership_id: UUID,
    actor: Actor,
    grant: Grant,
    now: datetime,
    expected: Expected = None,
) -> None:
    """End a service account and with it its keys. Raises NotFound, StaleRevision, GrantsMoreThanHeld."""
    workspace = lock_workspace(workspace_id)
    account = (
        Membership.objects.select_for_update(of=("self",))
        .select_related("role")
        .present()
        .service_accounts()
        .filter(workspace=workspace, pk=membership_id)
        .first()
    )
    if account is None:
        raise NotFound
    require_held(codes_of_role(account.role), grant=grant, what="This service account")
    require_revision(account, expected)
    before = str(account.status)
    account.move_to(MembershipStatus.LEFT)
    member_left.send(sender=Membership, membership=account, now=now)
    record_act_in(
        workspace,
        actor=actor,
        action="service_account.remove",
        target=Target(kind="service_account", id=str(account.pk), name=account.service_account_name),
        changes={"status": [before, str(account.status)]},
        now=now,
    )
    emit_event(
        type="service_account.removed", workspace_id=workspace.pk, data={"service_account": str(account.pk)}, now=now
    )
