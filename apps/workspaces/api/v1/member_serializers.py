"""What is read and shown of members, invitations, roles and service accounts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.common.api.inputs import Input
from apps.workspaces.selectors.memberships import codes_of_role
from apps.workspaces.states import InvitationStatus, MembershipStatus

_ROLE_HELP = "The code or id of a role."


class MemberUserOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()


class MemberOutput(serializers.Serializer[Any]):
    """A person in a workspace."""

    id = serializers.UUIDField()
    user = MemberUserOutput()
    role = serializers.CharField(source="role.code", help_text="The role's code.")
    status = serializers.ChoiceField(choices=MembershipStatus.choices)
    joined_at = serializers.DateTimeField()


class InviteMember(Input):
    email = serializers.EmailField(max_length=254)
    role = serializers.CharField(max_length=40, help_text=_ROLE_HELP)


class ChangeMember(Input):
    role = serializers.CharField(max_length=40, required=False, help_text=_ROLE_HELP)
    status = serializers.ChoiceField(
        choices=[MembershipStatus.ACTIVE.value, MembershipStatus.SUSPENDED.value],
        required=False,
        help_text="Suspend a member, or let a suspended one back in.",
    )


class InvitationOutput(serializers.Serializer[Any]):
    """An offer of a role, sent by e-mail."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    role = serializers.CharField(source="role.code", help_text="The role's code.")
    status = serializers.ChoiceField(choices=InvitationStatus.choices)
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class AcceptInvitation(Input):
    token = serializers.CharField(max_length=200, help_text="As in the link of the e-mail.")


class JoinedWorkspaceOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class AcceptedInvitationOutput(MemberOutput):
    """The new member, and where."""

    workspace = JoinedWorkspaceOutput()


class RoleOutput(serializers.Serializer[Any]):
    """A named set of permissions: built in, or the workspace's own."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    built_in = serializers.BooleanField()
    permissions = serializers.SerializerMethodField()

    def get_permissions(self, role: Any) -> list[str]:
        return sorted(codes_of_role(role))


class CreateRole(Input):
    name = serializers.CharField(max_length=100)
    code = serializers.CharField(max_length=40, required=False, help_text="Made from the name unless given.")
    permissions = serializers.ListField(child=serializers.CharField(max_length=60), max_length=200)


class ChangeRole(Input):
    name = serializers.CharField(max_length=100, required=False)
    permissions = serializers.ListField(child=serializers.CharField(max_length=60), max_length=200, required=False)


class PermissionOutput(serializers.Serializer[Any]):
    """Something that a member may be allowed to do."""

    code = serializers.CharField()
    description = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField(), help_text="The built-in roles that hold it.")


class PermissionsOutput(serializers.Serializer[Any]):
    """All permissions there are, on one page."""

    items = PermissionOutput(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class OwnPermissionsOutput(serializers.Serializer[Any]):
    """What the caller may do in this workspace now."""

    role = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())


class ServiceAccountOutput(serializers.Serializer[Any]):
    """A member without a person, for programs."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="service_account_name")
    role = serializers.CharField(source="role.code", help_text="The role's code.")
    status = serializers.ChoiceField(choices=MembershipStatus.choices)
    created_at = serializers.DateTimeField(source="joined_at")


class CreateServiceAccount(Input):
    name = serializers.CharField(max_length=100)
    role = serializers.CharField(max_length=40, help_text=_ROLE_HELP + " Any but owner.")
