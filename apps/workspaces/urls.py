"""Addresses of the pages about membership."""

from django.urls import path

from apps.workspaces.views import accept_invitation_page

urlpatterns = [path("invitations/accept", accept_invitation_page, name="accept-invitation")]
