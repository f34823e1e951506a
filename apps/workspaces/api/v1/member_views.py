"""Members, invitations, roles, service accounts, and what the caller may do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.api.outputs import Created, Listing
from apps.common.api.permissions import KNOWN, MEMBER, SIGNED_IN
from apps.common.api.views import ApiView, ApiViewSet
from apps.common.permissions import registry
from apps.workspaces.api.v1.member_filters import InvitationFilters, MemberFilters
from apps.workspaces.api.v1.member_serializers import (
    AcceptedInvitationOutput,
    AcceptInvitation,
    ChangeMember,
    ChangeRole,
    CreateRole,
    CreateServiceAccount,
    InvitationOutput,
    InviteMember,
    MemberOutput,
    OwnPermissionsOutput,
    PermissionsOutput,
    RoleOutput,
    ServiceAccountOutput,
)
from apps.workspaces.selectors.members import (
    find_invitation,
    find_member,
    find_role,
    find_service_account,
    invitations_of,
    members_of,
    roles_of,
    service_accounts_of,
)
from apps.workspaces.services.invitations import accept_invitation, invite_member, revoke_invitation
from apps.workspaces.services.members import change_member, remove_member
from apps.workspaces.services.roles import change_role, create_role, delete_role
from apps.workspaces.services.service_accounts import create_service_account, remove_service_account


class MemberViewSet(ApiViewSet):
    """Who belongs to a workspace. Adding somebody is always an invitation."""

    required = {
        "list": "members.view",
        "create": "members.manage",
        "retrieve": "members.view",
        "partial_update": "members.manage",
        # Anyone may leave; to remove somebody else the service asks for members.manage.
        "destroy": MEMBER,
    }
    inputs = {"create": InviteMember, "partial_update": ChangeMember}
    outputs = {
        "list": Listing(
            MemberOutput,
            orders={"joined_at": "joined_at", "email": "person_email", "name": "person_name"},
            search=("user__name", "user__email"),
            filters=MemberFilters,
        ),
        "create": Created(InvitationOutput),
        "retrieve": MemberOutput,
        "partial_update": MemberOutput,
        "destroy": None,
    }
    conditional = {"partial_update": "optional", "destroy": "optional"}
    allowed_when_not_active = frozenset({"destroy"})

    def list(self, request: Request, workspace: str) -> Response:
        return self.page(members_of(self.workspace.id))

    def create(self, request: Request, workspace: str) -> Response:
        """Invite somebody by e-mail."""
        return invite(self, workspace)

    def retrieve(self, request: Request, workspace: str, member: UUID) -> Response:
        return self.answer(find_member(workspace_id=self.workspace.id, membership_id=member))

    def partial_update(self, request: Request, workspace: str, member: UUID) -> Response:
        """Give a member another role, suspend or reactivate them."""
        changed = change_member(
            workspace_id=self.workspace.id,
            membership_id=member,
            **self.read(),
            actor=self.actor,
            grant=self.granted,
            now=self.now,
            expected=self.expected,
        )
        return self.answer(changed)

    def destroy(self, request: Request, workspace: str, member: UUID) -> Response:
        """Leave, or remove somebody."""
        remove_member(
            workspace_id=self.workspace.id,
            membership_id=member,
            actor=self.actor,
            grant=self.granted,
            now=self.now,
            expected=self.expected,
        )
        return self.nothing()


class InvitationViewSet(ApiViewSet):
    """Offers of a role, by e-mail."""

    required = {
        "list": "members.view",
        "create": "members.manage",
        "retrieve": "members.view",
        "revoke": "members.manage",
    }
    inputs = {"create": InviteMember}
    outputs = {
        "list": Listing(
            InvitationOutput, orders=("-created_at", "email"), search=("email",), filters=InvitationFilters
        ),
        "create": Created(InvitationOutput),
        "retrieve": InvitationOutput,
        "revoke": InvitationOutput,
    }

    def list(self, request: Request, workspace: str) -> Response:
        return self.page(invitations_of(self.workspace.id))

    def create(self, request: Request, workspace: str) -> Response:
        """Invite somebody by e-mail; an earlier invitation to the address is revoked."""
        return invite(self, workspace)

    def retrieve(self, request: Request, workspace: str, invitation: UUID) -> Response:
        return self.answer(find_invitation(workspace_id=self.workspace.id, invitation_id=invitation))

    def revoke(self, request: Request, workspace: str, invitation: UUID) -> Response:
        """Withdraw an open invitation: its link is dead."""
        revoked = revoke_invitation(
            workspace_id=self.workspace.id, invitation_id=invitation, actor=self.actor, now=self.now
        )
        return self.answer(revoked)


class AcceptInvitationView(ApiView):
    """Becoming a member by the link of an invitation."""

    required = {"post": SIGNED_IN}
    inputs = {"post": AcceptInvitation}
    outputs = {"post": AcceptedInvitationOutput}

    def post(self, request: Request) -> Response:
        """Accept, signed in with the invited address."""
        person: Any = request.user
        member = accept_invitation(**self.read(), actor=self.actor, email=person.email, now=self.now)
        return self.answer(member)


class RoleViewSet(ApiViewSet):
    """The built-in roles and the workspace's own."""

    required = {
        "list": "members.view",
        "create": "roles.manage",
        "retrieve": "members.view",
        "partial_update": "roles.manage",
        "destroy": "roles.manage",
    }
    inputs = {"create": CreateRole, "partial_update": ChangeRole}
    outputs = {
        "list": Listing(RoleOutput, orders=("created_at", "code"), search=("name", "code")),
        "create": Created(RoleOutput),
        "retrieve": RoleOutput,
        "partial_update": RoleOutput,
        "destroy": None,
    }
    conditional = {"partial_update": "optional", "destroy": "optional"}

    def list(self, request: Request, workspace: str) -> Response:
        return self.page(roles_of(self.workspace.id))

    def create(self, request: Request, workspace: str) -> Response:
        """Make a role of permissions that the caller holds."""
        role = create_role(
            workspace_id=self.workspace.id, **self.read(), actor=self.actor, grant=self.granted, now=self.now
        )
        return self.created(role, location=f"/api/v1/workspaces/{workspace}/roles/{role.pk}")

    def retrieve(self, request: Request, workspace: str, role: str) -> Response:
        return self.answer(find_role(workspace_id=self.workspace.id, ref=role))

    def partial_update(self, request: Request, workspace: str, role: str) -> Response:
        """Change a role; it counts at once for all who have it."""
        changed = change_role(
            workspace_id=self.workspace.id,
            role=role,
            **self.read(),
            actor=self.actor,
            grant=self.granted,
            now=self.now,
            expected=self.expected,
        )
        return self.answer(changed)

    def destroy(self, request: Request, workspace: str, role: str) -> Response:
        """Delete a role that nobody has."""
        delete_role(
            workspace_id=self.workspace.id,
            role=role,
            actor=self.actor,
            grant=self.granted,
            now=self.now,
            expected=self.expected,
        )
        return self.nothing()


class PermissionsView(ApiView):
    """Every permission that there is."""

    required = {"get": KNOWN}
    outputs = {"get": PermissionsOutput}

    def get(self, request: Request) -> Response:
        items = [
            {"code": declared.code, "description": declared.description, "roles": sorted(declared.roles)}
            for declared in registry.all()
        ]
        return self.answer({"items": items, "next": None, "previous": None})


class OwnPermissionsView(ApiView):
    """What the caller may do in this workspace."""

    required = {"get": MEMBER}
    outputs = {"get": OwnPermissionsOutput}

    def get(self, request: Request, workspace: str) -> Response:
        return self.answer({"role": self.granted.role, "permissions": sorted(self.granted.codes)})


class ServiceAccountViewSet(ApiViewSet):
    """Members without a person: they outlive whoever made them."""

    required = {
        "list": "service_accounts.manage",
        "create": "service_accounts.manage",
        "retrieve": "service_accounts.manage",
        "destroy": "service_accounts.manage",
    }
    inputs = {"create": CreateServiceAccount}
    outputs = {
        "list": Listing(
            ServiceAccountOutput,
            orders={"created_at": "joined_at", "name": "service_account_name"},
            search=("service_account_name",),
        ),
        "create": Created(ServiceAccountOutput),
        "retrieve": ServiceAccountOutput,
        "destroy": None,
    }

    def list(self, request: Request, workspace: str) -> Response:
        return self.page(service_accounts_of(self.workspace.id))

    def create(self, request: Request, workspace: str) -> Response:
        """Make a service account with a role that the caller could give."""
        account = create_service_account(
            workspace_id=self.workspace.id, **self.read(), actor=self.actor, grant=self.granted, now=self.now
        )
        return self.created(account, location=f"/api/v1/workspaces/{workspace}/service-accounts/{account.pk}")

    def retrieve(self, request: Request, workspace: str, account: UUID) -> Response:
        return self.answer(find_service_account(workspace_id=self.workspace.id, membership_id=account))

    def destroy(self, request: Request, workspace: str, account: UUID) -> Response:
        """Remove a service account, and its keys with it."""
        remove_service_account(
            workspace_id=self.workspace.id, membership_id=account, actor=self.actor, grant=self.granted, now=self.now
        )
        return self.nothing()


def invite(view: Any, workspace: str) -> Response:
    """What both ways of inviting do."""
    invitation = invite_member(
        workspace_id=view.workspace.id, **view.read(), actor=view.actor, grant=view.granted, now=view.now
    )
    answer: Response = view.created(invitation, location=f"/api/v1/workspaces/{workspace}/invitations/{invitation.pk}")
    return answer
