"""The one permission class: every view has a table of what each action requires, and what isn't listed is denied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.common.api.problems import problem
from apps.common.errors import (
    AppRunError,
    Conflict,
    Denied,
    NotAuthenticated,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Unavailable,
)
from apps.common.permissions import Grant, resolver
from apps.common.tenancy import set_workspace

if TYPE_CHECKING:
    from apps.common.api.views import ApiView

#: Words that stand in a view's ``required`` table instead of a permission code.
OPEN = "@open"
#: A person. An API key works in its workspace only, so what belongs to a person is closed to it.
SIGNED_IN = "@signed_in"
#: A person or an API key.
KNOWN = "@known"
MEMBER = "@member"
OPERATOR = "@operator"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class WorkspaceProvisioning(Unavailable):
    """The workspace's schema is still being made."""

    code = "workspace_provisioning"
    detail = "This workspace is still being set up. Try again in a moment."


class WorkspaceNotActive(Conflict):
    """The workspace is suspended or closing: it can be read, not changed."""

    code = "workspace_not_active"


class Gate(BasePermission):
    """Looks up what the view requires for this action, finds the caller's grant, enters the workspace.

    Raises NotAuthenticated (nobody), NotFound (not a member: nothing is learned), Denied (a member without the code,
    with the id of the decision that explains it).
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        action = _action(request, view)
        rule = view.required.get(action)
        if rule is None:
            raise Denied("This action is not open to anyone.")
        if rule == OPEN:
            return True
        if not request.user.is_authenticated:
            raise NotAuthenticated
        if rule == OPERATOR:
            if not getattr(request.user, "is_staff", False):
                raise NotFound
            return True
        if rule == KNOWN:
            return True
        if rule == SIGNED_IN:
            if view.actor.scopes is not None:
                raise Denied("An API key works in its workspace; this is for people who are signed in.")
            return True
        self._admit(request, view, rule)
        return True

    def _admit(self, request: Request, view: ApiView, rule: str) -> None:
        actor = view.actor
        grant = resolver().grant_for(actor, view.kwargs["workspace"])
        if grant is None:
            raise NotFound
        view.grant = grant
        if rule != MEMBER and not grant.allows(rule):
            refuse(code=rule)
        require_usable(request, view, grant)
        if view.enters_workspace:
            set_workspace(grant.workspace)


def refuse(*, code: str, detail: str | None = None) -> NoReturn:
    """Raise Denied, naming the permission that is missing; the answer gets the id of the decision that explains it."""
    raise Denied(detail or f"This needs the permission {code}, which you don't have here.", permission=code)


def explain_refusal(view: ApiView, error: AppRunError) -> None:
    """Keep what a refusal (403, 402, 429) came from, and put the decision's id into the problem.

    Called once the refused change is rolled back, whoever refused it: the gate, a view, or a rule far below.
    """
    if not isinstance(error, Denied | QuotaExceeded | RateLimited) or "decision_id" in error.extra:
        return
    status, _ = problem(error, request_id="")
    decision = resolver().record_refusal(
        actor=view.actor,
        code=str(error.extra.get("permission", error.code)),
        action=f"{view.request.method} {view.act}",
        target=view.request.path,
        grant=view.grant,
        reason=error.detail,
        status=status,
    )
    error.extra = {**error.extra, "decision_id": decision}


def explain(error: Denied, *, view: ApiView) -> None:
    """Give a refusal that came from a rule a decision too, once its transaction is over. ``error.permission`` names
    the code that was missing, where there is one.
    """
    if view.grant is None or "decision_id" in error.extra:
        return
    decision = resolver().record_refusal(
        actor=view.actor,
        code=getattr(error, "permission", "") or error.code,
        action=f"{view.request.method} {view.act}",
        target=view.request.path,
        grant=view.grant,
        reason=error.detail,
        status=403,
    )
    error.extra = {**error.extra, "decision_id": decision}


def _action(request: Request, view: Any) -> str:
    action = getattr(view, "action", None)
    if hasattr(view, "action_map"):
        if action is None:
            raise MethodNotAllowed(request.method or "")
        return str(action)
    method = (request.method or "").lower()
    if method == "head":
        method = "get"
    if not hasattr(view, method) or method not in view.http_method_names:
        raise MethodNotAllowed(request.method or "")
    return method


def require_usable(request: Request, view: ApiView, grant: Grant) -> None:
    """Raise unless the workspace is in a state for this action: NotFound (it is purged), WorkspaceProvisioning,
    WorkspaceNotActive. The gate asks this for addresses that name a workspace; others ask once they have found it."""
    status = grant.workspace.status
    if status == "active":
        return
    if status == "purged":
        raise NotFound
    if view.enters_workspace and status in {"provisioning", "failed"}:
        raise WorkspaceProvisioning
    if (
        status in {"suspended", "closing", "closed"}
        and request.method not in _SAFE_METHODS
        and view.act not in view.allowed_when_not_active
    ):
        raise WorkspaceNotActive(f"This workspace is {status}. It can be read, not changed.")
