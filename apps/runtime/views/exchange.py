"""One request of a visitor, from the address to the answer's last header; what all endpoints of the runtime share."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.applications.services.previews import open_preview
from apps.common.api.addresses import caller_address
from apps.common.errors import AppRunError
from apps.common.tenancy import enter
from apps.runtime.errors import ForgedRequest, NoSuchApp, TooManyRequests
from apps.runtime.services import admission, limits, visits
from apps.runtime.services.counting import COUNTED_UNKNOWN, count_unknown, count_visit
from apps.runtime.services.recording import record_visit
from apps.runtime.services.resolution import ResolvedApp, preview_app, resolver
from apps.runtime.views import headers
from apps.runtime.views.visitor import identify
from apps.workspaces.selectors import find_visited_workspace


class Exchange:
    """A request at an app's address. ``open`` it before anything else is asked of it."""

    def __init__(self, request: HttpRequest, workspace_ref: str, app_ref: str, *, kind: str) -> None:
        self.request = request
        self.workspace_ref = workspace_ref
        self.app_ref = app_ref
        self.kind = kind
        self.started = time.perf_counter()
        self.arguments: dict[str, str] = {}
        self.preview = ""
        self.run_id: UUID | None = None
        self.resolved: ResolvedApp | None = None
        self.visit: visits.Visit | None = None
        self.visitor = admission.Visitor(address=caller_address(request))
        self.allowance: limits.Allowance | None = None

    @cached_property
    def now(self) -> datetime:
        """The moment of this request."""
        return timezone.now()

    @property
    def app(self) -> ResolvedApp:
        """The app, once it was opened."""
        assert self.resolved is not None
        return self.resolved

    @property
    def url(self) -> str:
        """The address of the page itself, as this visitor knows it."""
        prefix = "/runtime" if self.request.path.startswith("/runtime/") else ""
        return f"{prefix}/{self.workspace_ref}/{self.app_ref}"

    @property
    def form_url(self) -> str:
        """Where the page's forms post to."""
        return f"{self.url}?{urlencode({'preview': self.preview})}" if self.preview else self.url

    @cached_property
    def wants_json(self) -> bool:
        """Whether a program asks: by what it accepts, or, when it doesn't say, by what it sends."""
        accept = self.request.headers.get("Accept", "")
        if "text/html" in accept or "HX-Request" in self.request.headers:
            return False
        if "json" in accept:
            return True
        return "json" in (self.request.content_type or "")

    def resolve(self) -> None:
        """Find the app. Raises what the resolver raises, and TooManyRequests for too many addresses without one."""
        self._count_unknown()
        self.resolved = resolver.resolve(self.workspace_ref, self.app_ref)

    def identify(self) -> None:
        """Learn who asks, and find or start their visit. Public apps don't ask who it is."""
        policy = self.app.app.policy
        if policy.audience != "public":
            self.visitor = identify(self.request, workspace_ref=str(self.app.workspace.id))
        app_id, moment = self.app.place, self.now.timestamp()
        if self.visitor.caller:
            visit_id = visits.caller_visit_id(app_id=app_id, caller=self.visitor.caller)
            self.visit = visits.Visit(visit_id, app_id, int(moment) + policy.session_seconds)
            return
        found = visits.read_visit(self.request.COOKIES.get(visits.COOKIE_NAME), app_id=app_id, now=moment)
        if found is not None and found.person == visits.person_mark(self.visitor.person):
            self.visit = found
        else:
            self.visit = visits.start_visit(app_id=app_id, policy=policy, person=self.visitor.person, now=moment)

    def count(self) -> None:
        """Count the request. Raises TooManyRequests."""
        policy, app_id = self.app.app.policy, self.app.place
        self.allowance = count_visit(app_id, policy, self.visit, self.visitor)
        if not self.allowance.allowed:
            raise TooManyRequests(retry_after=self.allowance.resets_in)

    def admit(self) -> None:
        """Raise unless the policy lets this visitor in."""
        admission.admit(self.app.app.policy, self.visitor, self.visit)

    def open(self) -> None:
        """All of the above, in order."""
        self.resolve()
        self.identify()
        self.count()
        self.admit()

    def open_preview(self, token: str) -> None:
        """Open the app's draft for the holder of a preview's token; nothing of it is counted as a visit.

        Raises PreviewOver, TooManyRequests, and what is wrong with the draft.
        """
        self._count_unknown()
        workspace = find_visited_workspace(self.workspace_ref)
        if workspace is None or workspace.status != "active":
            raise NoSuchApp
        with enter(workspace):
            draft = open_preview(token=token, workspace_id=workspace.id, app_ref=self.app_ref, now=self.now)
        self.preview = token
        self.resolved = preview_app(workspace, draft)
        self.visit = visits.start_visit(
            app_id=self.resolved.place, policy=self.resolved.app.policy, person=None, now=self.now.timestamp()
        )

    def is_of_a_member(self) -> bool:
        """Whether a member of the app's workspace asks. Public apps learn that only here, at the price of a look-up."""
        if self.visitor.is_member or self.resolved is None or self.app.app.policy.audience != "public":
            return self.visitor.is_member
        try:
            return identify(self.request, workspace_ref=str(self.app.workspace.id)).is_member
        except (AppRunError, DatabaseError):
            return False

    def grant(self) -> None:
        """Note on the visit that it showed the password or the link. It gets a new id with it (no fixation)."""
        policy = self.app.app.policy
        fresh = visits.start_visit(
            app_id=self.app.place, policy=policy, person=self.visitor.person, now=self.now.timestamp()
        )
        self.visit = replace(fresh, grant=visits.grant_mark(policy))

    def check_origin(self) -> None:
        """Raises ForgedRequest when a browser says that another site sent this."""
        site = self.request.headers.get("Sec-Fetch-Site", "")
        origin = self.request.headers.get("Origin", "")
        if site in {"cross-site", "same-site"}:
            raise ForgedRequest
        if (
            origin
            and site != "same-origin"
            and (origin == "null" or urlsplit(origin).netloc != self.request.get_host())
        ):
            raise ForgedRequest

    def check_form_token(self, token: str) -> None:
        """Raises ForgedRequest unless a form bears the token of this very visit."""
        self.check_origin()
        if self.visit is None or self.visit.is_new or not visits.same(token, self.visit.csrf_token):
            raise ForgedRequest

    def finish(self, response: HttpResponse, *, kind: str | None = None) -> HttpResponse:
        """Put the visit's cookie and the headers on the answer, and record what happened."""
        if self.resolved is not None and not self.preview:
            headers.mark_app(response, self.resolved)
            if self.visit is not None and self.visit.is_new and response.status_code not in {404, 429}:
                headers.set_visit_cookie(response, self.request, self.visit, self.resolved.app.policy, path=self.url)
            if self.allowance is not None:
                for name, value in headers.allowance_headers(self.allowance):
                    response.headers[name] = value
            self._record(response.status_code, kind or self.kind)
        return response

    def _count_unknown(self) -> None:
        counted = COUNTED_UNKNOWN in self.request.META
        if not counted and not resolver.knows(self.workspace_ref, self.app_ref):
            count = count_unknown(self.visitor)
            if not count.allowed:
                raise TooManyRequests(retry_after=count.resets_in)

    def _record(self, status: int, kind: str) -> None:
        assert self.resolved is not None
        record_visit(
            self.resolved,
            self.visit,
            kind=kind,
            status=status,
            started=self.started,
            now=self.now,
            visitor=self.visitor,
            user_agent=self.request.META.get("HTTP_USER_AGENT", ""),
            run_id=self.run_id,
        )
