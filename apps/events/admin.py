"""The outbox in the operators' console."""

from django.contrib import admin

from apps.common.admin import PlatformAdmin, platform_site
from apps.events.models import Event


@admin.register(Event, site=platform_site)
class EventAdmin(PlatformAdmin):
    """What happened, and whether it was relayed."""

    list_display = ("at", "type", "workspace_id", "relayed_at")
    list_display_links = ("at", "type")
    list_filter = ("type", ("relayed_at", admin.EmptyFieldListFilter))
    search_fields = ("type", "=workspace_id", "=id")
