"""The console of the platform and that of one workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from allauth.account.decorators import secure_admin_login
from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from apps.common.permissions import Grant

#: Whole, because in a workspace's console ``reverse`` leads into it.
_PASSWORD_PAGE = "/accounts/password/change/"  # noqa: S105 - an address
_WORKSPACES_PAGE = "/admin/w/"

#: The one exception to our Content-Security-Policy: Unfold's Alpine.js evaluates expressions and sets inline styles.
console_csp: Callable[[Callable[..., Any]], Callable[..., Any]] = csp_replace(
    {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
)


#: Rows of one table that a search shows; who looks for more goes to the table.
_FOUND_PER_TABLE = 10
_LONGEST_SEARCH = 100


class ConsoleSite(UnfoldAdminSite):
    """What both have in common: sign-in by allauth (with its second factor), and audit in place of LogEntry."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return console_csp(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The way in for who may; never a form of the console's own, which would ask for no second factor."""
        if not self.has_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """On the account's pages, where tries are counted and the change is told and recorded."""
        return HttpResponseRedirect(_PASSWORD_PAGE)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What is found in tables that the caller may see now.

        Unfold's own keeps results for five minutes, whatever becomes of the caller's role, and reads every row found.
        """
        started = time.perf_counter()
        words = request.GET.get("s", "").replace("\x00", "").strip().lower()[:_LONGEST_SEARCH]
        if not words:
            return HttpResponse()
        extended = "extended" in request.GET
        found = self._search_apps(AdminSite.get_app_list(self, request), words)
        if extended:
            found += self._search_rows(request, words)
        return TemplateResponse(
            request,
            f"unfold/helpers/{'command' if extended else 'search'}_results.html",
            {
                "page_obj": (pages := Paginator(found, max(1, len(found)))),
                "results": pages.page(1),
                "page_counter": 0,
                "execution_time": time.perf_counter() - started,
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )

    def _search_rows(self, request: HttpRequest, words: str) -> list[SearchResult]:
        found = []
        for app in AdminSite.get_app_list(self, request):
            for table in app["models"]:
                site_admin, meta = self._registry[table["model"]], table["model"]._meta
                if not site_admin.get_search_fields(request):
                    continue
                rows, _ = site_admin.get_search_results(request, site_admin.get_queryset(request), words)
                if site_admin.list_select_related:
                    rows = rows.select_related(*site_admin.list_select_related)
                about = f"{meta.app_label.capitalize()} - {meta.verbose_name.capitalize()}"
                address = f"admin:{meta.app_label}_{meta.model_name}_change"
                found += [
                    SearchResult(site_admin.title_of(row), about, reverse(address, args=[row.pk]), "data_object")
                    for row in rows[:_FOUND_PER_TABLE]
                ]
        return found

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """None: what happened is in the audit trail."""
        return LogEntry.objects.none()


class PlatformSite(ConsoleSite):
    """For operators: every workspace, person and job."""

    settings_name = "UNFOLD"
    site_title = "AppRun"
    site_header = "AppRun"
    index_title = "Platform"
    index_template = "console/platform.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """To allauth's pages for nobody; members came to the wrong console and are led to their workspaces."""
        if request.user.is_authenticated and not self.has_permission(request):
            return HttpResponseRedirect(_WORKSPACES_PAGE)
        return cast(HttpResponse, secure_admin_login(super().login)(request, extra_context))


class WorkspaceSite(ConsoleSite):
    """For the members of one workspace, by their permissions. The middleware has found the grant and entered."""

    settings_name = "UNFOLD_WORKSPACE"
    site_title = "AppRun"
    index_title = "Workspace"
    index_template = "console/workspace.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return workspace_grant(request) is not None


def workspace_grant(request: Any) -> Grant | None:
    """What the caller may do in the workspace whose console this is; None outside of one."""
    grant: Grant | None = getattr(request, "workspace_grant", None)
    return grant


platform_site = PlatformSite(name="admin")
#: Mounted in a URL configuration of its own, so that the stock templates' ``admin:`` addresses lead into it.
workspace_site = WorkspaceSite(name="admin")
