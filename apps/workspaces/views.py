"""The page that the link of an invitation opens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.common.api.problems import problem
from apps.common.api.views import actor_of
from apps.common.errors import AppRunError
from apps.workspaces.services.invitations import accept_invitation, read_invitation

_PAGE = "workspaces/invitation.html"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation_page(request: HttpRequest) -> HttpResponse:
    """Who invites to what; then the way in: sign in or up with the invited address, and join.

    Looking changes nothing: mail programs open links before people do.
    """
    token = request.POST.get("token", "") or request.GET.get("token", "")
    user: Any = request.user
    now = timezone.now()
    try:
        if request.method == "POST" and user.is_authenticated:
            member = accept_invitation(token=token, actor=actor_of(request), email=user.email, now=now)
            messages.success(request, f"You are a member of {member.workspace.name} now.")
            return redirect(f"/admin/w/{member.workspace.slug}/")
        invitation = read_invitation(token=token, now=now)
    except AppRunError as error:
        status, _ = problem(error, request_id="")
        return render(request, _PAGE, {"error": error}, status=status)
    here = f"{reverse('accept-invitation')}?{urlencode({'token': token})}"
    return render(
        request,
        _PAGE,
        {
            "invitation": invitation,
            "workspace": invitation.workspace.display_name or invitation.workspace.name,
            "token": token,
            "here": here,
            "is_for_caller": user.is_authenticated and user.email == invitation.email,
            "sign_in_url": f"{reverse('account_login')}?{urlencode({'next': here})}",
            "sign_up_url": f"{reverse('account_signup')}?{urlencode({'next': here, 'email': invitation.email})}",
            "sign_out_url": f"{reverse('account_logout')}?{urlencode({'next': here})}",
        },
    )
