"""What lists of members and invitations can be narrowed by."""

from __future__ import annotations

from django_filters import CharFilter, ChoiceFilter

from apps.common.api.filters import Filters
from apps.workspaces.models import Invitation, Membership
from apps.workspaces.states import InvitationStatus, MembershipStatus


class MemberFilters(Filters):
    role = CharFilter(field_name="role__code", help_text="The role's code.")
    status = ChoiceFilter(choices=[(MembershipStatus.ACTIVE.value,) * 2, (MembershipStatus.SUSPENDED.value,) * 2])

    class Meta:
        model = Membership
        fields: list[str] = []


class InvitationFilters(Filters):
    status = ChoiceFilter(choices=InvitationStatus.choices)
    email = CharFilter(lookup_expr="iexact")

    class Meta:
        model = Invitation
        fields: list[str] = []
