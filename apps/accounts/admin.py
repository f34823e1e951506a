"""People in the operators' console."""

from django.contrib import admin

from apps.accounts.models import RefreshToken, User
from apps.common.admin import PlatformAdmin, platform_site


@admin.register(User, site=platform_site)
class UserAdmin(PlatformAdmin):
    """People: found by address or name."""

    list_display = ("email", "name", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name", "=id")
    exclude = ("password",)


@admin.register(RefreshToken, site=platform_site)
class RefreshTokenAdmin(PlatformAdmin):
    """Refresh tokens: whose, and whether they were spent. The tokens themselves are nowhere."""

    list_display = ("user", "issued_at", "expires_at", "spent_at")
    list_filter = (("spent_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    exclude = ("jti", "session_key")
