"""The bases of all API views: they know HTTP and no rule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from apps.common.actors import Actor, ActorKind
from apps.common.api.addresses import caller_address
from apps.common.api.idempotency import answer_once
from apps.common.permissions import Grant
from apps.common.tenancy import leave_workspace


class ApiView(APIView):
    """A view with a table of what each method or action requires.

    ``required`` maps an action (viewsets) or a lower-case method (views) to a permission code or to one of the words
    of ``apps.common.api.permissions``. What isn't listed is denied. A view whose URL has ``{workspace}`` finds the
    caller's grant in ``self.grant``; with ``enters_workspace`` its code runs in the workspace's schema.
    """

    required: ClassVar[Mapping[str, str]] = {}
    enters_workspace: ClassVar[bool] = False
    #: Actions that change something and are allowed in a suspended or closing workspace all the same.
    allowed_when_not_active: ClassVar[frozenset[str]] = frozenset()
    #: Whether an Idempotency-Key is honoured on POST, and whether the answer bears a secret that is kept sealed.
    idempotent: ClassVar[bool] = True
    secret_answers: ClassVar[frozenset[str]] = frozenset()

    grant: Grant | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and self.idempotent and request.user.is_authenticated:
            key = request.headers.get("Idempotency-Key")
            if key is not None:
                # DRF looks the handler up after this: the wrapped one answers a repeat with the first answer.
                self.post = answer_once(self, self.post, key)  # type: ignore[attr-defined]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            response = super().dispatch(request, *args, **kwargs)
            if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                response.render()
            return response
        finally:
            leave_workspace()

    @cached_property
    def now(self) -> datetime:
        """The moment of this request; services take it as an argument."""
        return timezone.now()

    @cached_property
    def actor(self) -> Actor:
        """Who calls."""
        return actor_of(self.request)

    @property
    def workspace(self) -> Any:
        """The workspace of the URL, once the caller was admitted to it."""
        assert self.grant is not None, "this view's URL names no workspace"
        return self.grant.workspace


class ApiViewSet(ViewSetMixin, ApiView):
    """Several actions on one resource."""


class WorkspaceViewSet(ApiViewSet):
    """Actions on what lies in a workspace's schema."""

    enters_workspace = True


def actor_of(request: Any) -> Actor:
    """The actor behind a request: an API key says itself who it is, a person is the signed-in user."""
    request_id = getattr(request, "request_id", "") or getattr(getattr(request, "_request", None), "request_id", "")
    address = caller_address(request)
    user = request.user
    if not user.is_authenticated:
        return Actor(kind=ActorKind.VISITOR, request_id=request_id, address=address)
    describe = getattr(user, "as_actor", None)
    if describe is not None:
        actor: Actor = describe(request_id=request_id, address=address)
        return actor
    return Actor(
        kind=ActorKind.USER,
        id=user.pk,
        name=user.get_full_name(),
        user_id=user.pk,
        impersonator=_impersonator(request),
        request_id=request_id,
        address=address,
    )


def _impersonator(request: Any) -> Actor | None:
    """The operator who acts as this user (django-hijack keeps the history in the session)."""
    session = getattr(request, "session", None)
    history = session.get("hijack_history", []) if session is not None and session.session_key else []
    if not history:
        return None
    return Actor(
        kind=ActorKind.OPERATOR, id=UUID(str(history[-1])), name=session.get("hijack_name", "") if session else ""
    )


def created(data: Any, *, location: str | None = None) -> Response:
    """201, with where the new thing is."""
    return Response(data, status=201, headers={"Location": location} if location else None)


def accepted(data: Any, *, operation_id: UUID) -> Response:
    """202, with the operation to follow."""
    return Response(data, status=202, headers={"Location": f"/api/v1/operations/{operation_id}"})
