"""Addresses of workspaces and of those who belong to them."""

from apps.workspaces.api.v1 import member_urls

urlpatterns = [*member_urls.urlpatterns]
