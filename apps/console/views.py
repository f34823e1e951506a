"""The console's pages beside the two sites: the front door, the switcher, and the door for operators."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from apps.common.admin import platform_site
from apps.common.admin.sites import console_csp
from apps.common.api.views import actor_of
from apps.common.errors import AppRunError
from apps.console.forms import VisitForm
from apps.console.services.visits import open_visit
from apps.workspaces.selectors import find_workspace, workspaces_of

_SHOWN = 100


@require_safe
@login_required
def open_front_door(request: HttpRequest) -> HttpResponse:
    """The platform's bare address: operators come to their console, members to their workspaces, others sign in."""
    return HttpResponseRedirect("/admin/" if request.user.is_staff else "/admin/w/")


@require_GET
@login_required
def switch_workspace(request: HttpRequest) -> HttpResponse:
    """My workspaces, with a search; an operator who has none goes to the platform's console."""
    query = request.GET.get("q", "").strip()
    found = list(workspaces_of(request.user, query=query)[: _SHOWN + 1])
    if len(found) == 1 and not query and "all" not in request.GET:
        return HttpResponseRedirect(f"/admin/w/{found[0].slug}/")
    context = {"workspaces": found[:_SHOWN], "more": len(found) > _SHOWN, "query": query}
    return render(request, "console/switcher.html", context)


@require_http_methods(["GET", "POST"])
@login_required
@console_csp
def visit_workspace(request: HttpRequest, slug: str) -> HttpResponse:
    """The door: an operator says why before looking into a workspace that isn't theirs."""
    workspace = find_workspace(slug)
    if not request.user.is_staff or workspace is None:
        raise Http404
    home = f"/admin/w/{slug}/"
    form = VisitForm(request.POST or None, initial={"next": request.GET.get("next", home)})
    if request.method == "POST" and form.is_valid():
        try:
            open_visit(
                session=request.session,
                workspace=workspace,
                reason=form.cleaned_data["reason"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        except AppRunError as error:
            form.add_error("reason", error.detail)
        else:
            wanted = form.cleaned_data["next"]
            safe = wanted.startswith(home) and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
            return HttpResponseRedirect(wanted if safe else home)
    context = {
        **platform_site.each_context(request),
        "title": "Visit a workspace",
        "workspace": workspace,
        "form": form,
    }
    return render(request, "console/visit.html", context)
