"""Who asks: a browser with its session, or a program with a key or token. The only place here that knows of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings

from apps.common.actors import ActorKind
from apps.common.api.addresses import caller_address
from apps.common.api.problems import translate
from apps.common.api.views import actor_of
from apps.common.permissions import resolver
from apps.common.tenancy import enter_public
from apps.runtime.services.admission import Visitor


def identify(request: HttpRequest, *, workspace_ref: str) -> Visitor:
    """The visitor behind a request. Credentials that don't hold raise NotAuthenticated; none at all are an anonymous
    visitor. Costs no query unless the request bears credentials.
    """
    address = caller_address(request)
    if "Authorization" not in request.headers and settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return Visitor(address=address)
    with enter_public():
        user = _authenticated(request)
        if user is None or not user.is_authenticated:
            return Visitor(address=address)
        actor = actor_of(_WithUser(request, user))
        grant = resolver().grant_for(actor, workspace_ref)
    return Visitor(
        address=address,
        person=actor.user_id if actor.kind in {ActorKind.USER, ActorKind.OPERATOR} else None,
        caller="" if "Authorization" not in request.headers else f"{actor.kind}:{actor.id}",
        role=grant.role if grant else "",
        is_member=grant is not None,
    )


def _authenticated(request: HttpRequest) -> Any:
    if "Authorization" not in request.headers:
        return getattr(request, "user", None)
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    authenticators = [each() for each in classes]
    try:
        return Request(request, authenticators=authenticators).user
    except Exception as problem:
        error = translate(problem)
        if error is None:
            raise
        raise error from None


class _WithUser:
    """A request as ``actor_of`` wants it."""

    def __init__(self, request: HttpRequest, user: Any) -> None:
        self._request = request
        self.user = user
        self.META = request.META
        self.session = getattr(request, "session", None)
        self.request_id = getattr(request, "request_id", "")
