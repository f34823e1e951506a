"""The address space of a workspace's console: everything below ``/admin/w/{slug}/``."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import get_script_prefix, set_script_prefix
from django.utils.http import urlencode

from apps.common.api.views import actor_of
from apps.common.permissions import Grant, resolver
from apps.common.tenancy import enter
from apps.console.services.visits import visit_grant

PREFIX = "/admin/w/"
#: Addresses below the prefix that belong to the platform's own URLs.
_OWN_PAGES = frozenset({"visit"})


def workspace_console(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Find the caller's grant, enter the workspace, and serve its console as if it were mounted at the root.

    The prefix moves from ``path_info`` to the script prefix, so that ``reverse``, history and autocomplete lead back
    in; all of it is undone whatever happens. A non-member sees 404, whether the workspace exists or not.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return get_response(request)
        slug, slash, rest = request.path_info.removeprefix(PREFIX).partition("/")
        if not slug or rest.partition("/")[0] in _OWN_PAGES:
            return get_response(request)
        if not slash:
            return HttpResponseRedirect(f"{request.path}/")
        grant = _find_grant(request, slug)
        if isinstance(grant, HttpResponse):
            return grant
        if grant.workspace.status in {"provisioning", "failed", "purged"}:
            return render(request, "console/not_ready.html", {"workspace": grant.workspace}, status=409)
        request.workspace_grant = grant  # type: ignore[attr-defined]
        return _serve(request, get_response, f"{PREFIX}{slug}/", f"/{rest}", grant.workspace)

    def _serve(
        request: HttpRequest, respond: Callable[[HttpRequest], HttpResponse], prefix: str, path: str, workspace: object
    ) -> HttpResponse:
        outer_prefix, outer_path = get_script_prefix(), request.path_info
        request.urlconf = "config.urls_workspace_console"
        request.path_info = path
        set_script_prefix(prefix)
        try:
            with enter(workspace):  # type: ignore[arg-type]
                return respond(request)
        finally:
            set_script_prefix(outer_prefix)
            request.path_info = outer_path
            request.urlconf = None

    return middleware


def _find_grant(request: HttpRequest, slug: str) -> Grant | HttpResponse:
    """The member's grant, or the operator's for an open visit; else the way to the sign-in page or to the door.

    Raises Http404 for everybody else.
    """
    came_for = urlencode({"next": request.get_full_path()})
    if not request.user.is_authenticated:
        return HttpResponseRedirect(f"{settings.LOGIN_URL}?{came_for}")
    grant = resolver().grant_for(actor_of(request), slug)
    if grant is None and getattr(request.user, "is_staff", False):
        grant = visit_grant(session=request.session, slug=slug)
        if grant is None:
            return HttpResponseRedirect(f"{PREFIX}{slug}/visit/?{came_for}")
    if grant is None:
        raise Http404
    return grant
