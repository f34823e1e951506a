"""The bases of all API views: they know HTTP and no rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from apps.common.actors import Actor, ActorKind
from apps.common.api import etag
from apps.common.api.addresses import caller_address
from apps.common.api.filters import Filters
from apps.common.api.following import hold_answer, read_operation
from apps.common.api.idempotency import answer_once
from apps.common.api.outputs import Listing, Outputs, item_of
from apps.common.api.pagination import list_page, pick_fields
from apps.common.api.permissions import explain_refusal, refuse
from apps.common.api.problems import respond_with_problem
from apps.common.api.throttling import count_call
from apps.common.errors import AppRunError, InvalidInput, NotFound, RevisionRequired
from apps.common.exports import CSV_TYPE
from apps.common.permissions import Grant
from apps.common.revisions import Expected, revision_of
from apps.common.tenancy import leave_workspace

_CONDITIONAL = frozenset({"PATCH", "PUT", "DELETE", "POST"})


class ApiView(APIView):
    """A view described by tables, each keyed by the action (viewsets) or the lower-case method (views).

    ``required`` says who may: a permission code or one of the words of ``apps.common.api.permissions``; what isn't
    listed is denied. ``inputs`` and ``outputs`` say what it reads and answers; the OpenAPI document comes from them.
    A view whose URL has ``{workspace}`` finds the caller's grant in ``self.grant``; with ``enters_workspace`` its code
    runs in the workspace's schema.
    """

    required: ClassVar[Mapping[str, str]] = {}
    inputs: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    outputs: ClassVar[Outputs] = {}
    #: What actions that answer no list read from the query, for the OpenAPI document; a list names it itself.
    parameters: ClassVar[Mapping[str, type[Filters]]] = {}
    enters_workspace: ClassVar[bool] = False
    #: Actions that change something and are allowed in a suspended or closing workspace all the same.
    allowed_when_not_active: ClassVar[frozenset[str]] = frozenset()
    #: Whether an Idempotency-Key is honoured on POST.
    idempotent: ClassVar[bool] = True
    #: POST actions whose effect spans several transactions of their own, so that theirs and the answer's aren't one.
    own_transactions: ClassVar[frozenset[str]] = frozenset()
    #: Actions whose answer bears a secret: kept sealed where it is kept.
    secret_answers: ClassVar[frozenset[str]] = frozenset()
    #: Actions that change a revision: ``self.expected`` is what If-Match accepts. ``"required"`` answers 428 without.
    conditional: ClassVar[Mapping[str, str]] = {}
    #: Whether the view stands in the OpenAPI document.
    documented: ClassVar[bool] = True

    grant: Grant | None = None

    # ---- for actions

    def read(self, serializer_class: type[BaseSerializer[Any]] | None = None, **context: Any) -> dict[str, Any]:
        """The validated body, read by the action's input serializer. Raises InvalidInput (through DRF's error)."""
        reader = serializer_class or self.inputs[self.act]
        serializer = reader(data=self.request.data, context={**self.context, **context}, partial=self.is_partial)
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated

    def page(self, queryset: Any, listing: Listing | None = None) -> Response:
        """One page of ``queryset``, as the action's ``Listing`` in ``outputs`` says (or as ``listing`` does)."""
        chosen = listing or self.outputs[self.act]
        if not isinstance(chosen, Listing):
            raise ImproperlyConfigured(f"outputs[{self.act!r}] of {type(self).__name__} is not a Listing.")
        url = f"{self.request.scheme}://{self.request.get_host()}{self.request.path}"
        return Response(list_page(queryset, chosen, query=self.request.query_params, url=url, context=self.context))

    def answer(
        self,
        item: Any,
        *,
        status: int = HTTPStatus.OK,
        location: str | None = None,
        revision: str | None = None,
        serializer_class: type[BaseSerializer[Any]] | None = None,
    ) -> Response:
        """``item`` as the action's output serializer shows it, with an ETag when it has a revision.

        ``revision`` is the token to use instead of ``revision_of(item)``.
        """
        shown_by = serializer_class or item_of(self.outputs[self.act], status)
        if shown_by is None:
            raise ImproperlyConfigured(f"outputs[{self.act!r}] of {type(self).__name__} shows nothing for {status}.")
        serializer = shown_by(item, context=self.context)
        pick_fields(serializer, self.request.query_params.get("fields"))
        response = Response(serializer.data, status=status, headers={"Location": location} if location else None)
        if revision is None and hasattr(item, "_meta"):
            revision = revision_of(item) if hasattr(item, "updated_at") or hasattr(item, "revision") else None
        response.revision = revision  # type: ignore[attr-defined]
        return response

    def created(self, item: Any, *, location: str, revision: str | None = None) -> Response:
        """201 with the new thing and where it is (a path)."""
        return self.answer(item, status=HTTPStatus.CREATED, location=location, revision=revision)

    def accepted(self, operation_id: UUID) -> Response:
        """202 with the operation to follow; ``Prefer: wait=N`` holds it after the transaction is committed."""
        response = Response(None, status=HTTPStatus.ACCEPTED)
        response["Location"] = f"/api/v1/operations/{operation_id}"
        response.operation_id = operation_id  # type: ignore[attr-defined]
        response.data = read_operation(operation_id)
        return response

    def csv(self, lines: Iterator[bytes], *, name: str) -> StreamingHttpResponse:
        """These lines as a file called ``name`` to save, sent while they are made."""
        disposition = f'attachment; filename="{name}"'
        return StreamingHttpResponse(lines, content_type=CSV_TYPE, headers={"Content-Disposition": disposition})

    @property
    def wants_csv(self) -> bool:
        """Whether the caller asks for a file: ``?as=csv``. Raises InvalidInput for another word."""
        asked = self.request.query_params.get("as", "")
        if asked not in {"", "csv"}:
            raise InvalidInput.at("/as", "invalid_choice", "There is csv; without it, the answer is a page of JSON.")
        return asked == "csv"

    def nothing(self) -> Response:
        """204."""
        return Response(status=HTTPStatus.NO_CONTENT)

    def require(self, code: str) -> None:
        """Raise Denied, with a decision that explains it, unless the caller also holds ``code`` here."""
        if self.grant is None or not self.grant.allows(code):
            refuse(code=code)

    @cached_property
    def now(self) -> datetime:
        """The moment of this request; services take it as an argument."""
        return timezone.now()

    @cached_property
    def actor(self) -> Actor:
        """Who calls."""
        return actor_of(self.request)

    @property
    def granted(self) -> Grant:
        """What the caller may do in the workspace of the URL, once they were admitted to it."""
        if self.grant is None:
            raise ImproperlyConfigured(f"The URL of {type(self).__name__} names no workspace.")
        return self.grant

    @property
    def workspace(self) -> Any:
        """The workspace of the URL, once the caller was admitted to it."""
        return self.granted.workspace

    @cached_property
    def expected(self) -> Expected:
        """The revisions that If-Match accepts, for the service; None accepts all of them."""
        header = self.request.headers.get("If-Match")
        return None if header is None else etag.expected_revisions(header)

    @property
    def act(self) -> str:
        """The action (viewsets) or the lower-case method (views) that this request asks for."""
        action = getattr(self, "action", None)
        if action is not None:
            return str(action)
        method = (self.request.method or "").lower()
        return "get" if method == "head" else method

    @property
    def is_partial(self) -> bool:
        return self.request.method == "PATCH"

    @property
    def context(self) -> dict[str, Any]:
        """What serializers may look at."""
        return {"request": self.request, "view": self}

    # ---- the way of a request

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs = args, kwargs
        self.headers: dict[str, str] = {}
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            try:
                self.initial(self.request, *args, **kwargs)
                response = self._handler()(self.request, *args, **kwargs)
                if response.status_code == HTTPStatus.ACCEPTED and hasattr(response, "operation_id"):
                    hold_answer(
                        response,
                        operation_id=response.operation_id,
                        header=self.request.headers.get("Prefer", ""),
                    )
            except Exception as error:  # noqa: BLE001 - unknown ones are raised again
                response = self.handle_exception(error)
            response = self.finalize_response(self.request, response, *args, **kwargs)
            self.response = response
            if hasattr(response, "render"):
                response.render()
                self._tag(response)
            # Nobody keeps an answer unasked; one with an ETag its own caller may, to ask again with it.
            response.headers.setdefault("Cache-Control", "private, no-cache" if "ETag" in response else "no-store")
            return response
        finally:
            leave_workspace()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        wrapped = super().initialize_request(request, *args, **kwargs)
        renderer = self.get_renderers()[0]
        wrapped.accepted_renderer, wrapped.accepted_media_type = renderer, renderer.media_type
        wrapped.version = wrapped.versioning_scheme = None
        return wrapped

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who calls, how often, whether they may: in this order, so that refused calls are counted too."""
        if "\x00" in request.path:
            raise NotFound
        try:
            self.perform_authentication(request)
        except Exception:
            request.user = AnonymousUser()
            count_call(self)
            raise
        count_call(self)
        if request.method == "OPTIONS":
            return
        self.check_permissions(request)
        if request.method in _CONDITIONAL:
            self._require_condition()

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """The methods that there are."""
        return Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": ", ".join(self.allowed_methods)})

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, AppRunError):
            explain_refusal(self, exc)
        response = respond_with_problem(exc, self.request)
        if response is None:
            raise exc
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response["Allow"] = ", ".join(self.allowed_methods)
        response.exception = True
        return response

    def render(self, response: Response) -> bytes:
        """The bytes of ``response``, before it is sent."""
        self.finalize_response(self.request, response)
        body: bytes = response.rendered_content
        return body

    def _handler(self) -> Any:
        method = (self.request.method or "").lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None:
            raise MethodNotAllowed(self.request.method or "")
        if method == "post" and self.idempotent and self.request.user.is_authenticated:
            key = self.request.headers.get("Idempotency-Key")
            if key is not None and not self.request.path.startswith("/api/v1/auth/"):
                return answer_once(self, handler, key)
        return handler

    def _require_condition(self) -> None:
        rule = self.conditional.get(self.act)
        if "If-Match" not in self.request.headers:
            if rule == "required":
                raise RevisionRequired
        elif rule is None and self.request.method != "POST":
            # To do it all the same would overwrite what the caller wanted to protect.
            raise InvalidInput("This resource has no revision; repeat the request without If-Match.", code="no_etag")

    def _tag(self, response: Any) -> None:
        revision = getattr(response, "revision", None)
        if revision is None or response.status_code >= HTTPStatus.BAD_REQUEST:
            return
        tag = etag.make_etag(revision, response.content)
        response["ETag"] = tag
        if self.request.method in ("GET", "HEAD"):
            known = self.request.headers.get("If-None-Match")
            if known is not None and etag.matches(known, tag):
                response.status_code = HTTPStatus.NOT_MODIFIED
                response.content = b""
                response.headers.pop("Content-Type", None)


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
    """The operator who acts as this user, as the session says it (the form is django-hijack's)."""
    session = getattr(request, "session", None)
    history = session.get("hijack_history", []) if session is not None and session.session_key else []
    if not history:
        return None
    return Actor(
        kind=ActorKind.OPERATOR, id=UUID(str(history[-1])), name=session.get("hijack_name", "") if session else ""
    )
