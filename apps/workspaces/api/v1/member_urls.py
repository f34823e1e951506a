"""Addresses of members, invitations, roles and service accounts."""

from typing import Any

from django.urls import path

from apps.workspaces.api.v1.member_views import (
    AcceptInvitationView,
    InvitationViewSet,
    MemberViewSet,
    OwnPermissionsView,
    PermissionsView,
    RoleViewSet,
    ServiceAccountViewSet,
)

_LIST: dict[str, Any] = {"get": "list", "post": "create"}
_ONE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
_HERE = "workspaces/<str:workspace>"

urlpatterns = [
    path("permissions", PermissionsView.as_view()),
    path("invitations/accept", AcceptInvitationView.as_view()),
    path(f"{_HERE}/permissions", OwnPermissionsView.as_view()),
    path(f"{_HERE}/members", MemberViewSet.as_view(_LIST)),
    path(f"{_HERE}/members/<uuid:member>", MemberViewSet.as_view(_ONE)),
    path(f"{_HERE}/invitations", InvitationViewSet.as_view(_LIST)),
    path(f"{_HERE}/invitations/<uuid:invitation>", InvitationViewSet.as_view({"get": "retrieve"})),
    path(f"{_HERE}/invitations/<uuid:invitation>/revoke", InvitationViewSet.as_view({"post": "revoke"})),
    path(f"{_HERE}/roles", RoleViewSet.as_view(_LIST)),
    path(f"{_HERE}/roles/<str:role>", RoleViewSet.as_view(_ONE)),
    path(f"{_HERE}/service-accounts", ServiceAccountViewSet.as_view(_LIST)),
    path(
        f"{_HERE}/service-accounts/<uuid:account>",
        ServiceAccountViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
]
