"""The people, invitations, roles and service accounts of a workspace."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, QuerySet

from apps.common.errors import NotFound
from apps.workspaces.models import Invitation, Membership, Role
from apps.workspaces.querysets import RoleQuerySet


def members_of(workspace_id: UUID) -> QuerySet[Membership]:
    """Those who haven't left, with their person and role.

    ``person_email`` and ``person_name`` are there to order by: a membership may be without a person, these aren't.
    """
    people = Membership.objects.present().people().filter(workspace_id=workspace_id)
    return people.select_related("user", "role").annotate(person_email=F("user__email"), person_name=F("user__name"))


def service_accounts_of(workspace_id: UUID) -> QuerySet[Membership]:
    """The service accounts that weren't removed, with their role."""
    return Membership.objects.present().service_accounts().filter(workspace_id=workspace_id).select_related("role")


def invitations_of(workspace_id: UUID) -> QuerySet[Invitation]:
    """All invitations, open or not, with the role that they offer."""
    return Invitation.objects.filter(workspace_id=workspace_id).select_related("role")


def roles_of(workspace_id: UUID) -> RoleQuerySet:
    """The built-in roles and the workspace's own."""
    return Role.objects.usable_in(workspace_id)


def find_member(*, workspace_id: UUID, membership_id: UUID) -> Membership:
    """Raises NotFound."""
    found = members_of(workspace_id).filter(pk=membership_id).first()
    if found is None:
        raise NotFound
    return found


def find_invitation(*, workspace_id: UUID, invitation_id: UUID) -> Invitation:
    """Raises NotFound."""
    found = invitations_of(workspace_id).filter(pk=invitation_id).first()
    if found is None:
        raise NotFound
    return found


def find_service_account(*, workspace_id: UUID, membership_id: UUID) -> Membership:
    """Raises NotFound."""
    found = service_accounts_of(workspace_id).filter(pk=membership_id).first()
    if found is None:
        raise NotFound
    return found


def find_role(*, workspace_id: UUID, ref: str) -> Role:
    """The role with this id or code. Raises NotFound."""
    found = roles_of(workspace_id).named(ref).first()
    if found is None:
        raise NotFound
    return found
