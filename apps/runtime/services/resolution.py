"""From an address to a whole version of a page, fast, and never a mixture of two.

Each process keeps what it resolved: which release is current and the policy (looked up again when older than
``RUNTIME_REFRESH``, so that a publish is seen everywhere within a second), and the compiled page (under the release's
id: a release never changes, so nothing has to be purged). While PostgreSQL doesn't answer, what is known of public
apps is served on, marked stale; a process that knows nothing yet asks Redis, where each public page is kept too.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from apps.applications.selectors import VisitedApp, VisitPolicy, find_visited_app, read_definition
from apps.applications.services.previews import DraftToShow
from apps.common.tenancy import enter, enter_public
from apps.runtime.errors import AppArchived, AppSuspended, DatabaseDown, NoSuchApp
from apps.runtime.pages.compiled import CompiledPage, compile_page
from apps.runtime.services import keeping
from apps.workspaces.selectors import VisitedWorkspace, find_visited_workspace

log = structlog.get_logger(__name__)

MAX_RESOLVED = 4_096
MAX_COMPILED = 512
RETRY_AFTER_FAILURE = 1.0
"""Seconds without another try at the database after one has failed."""

_SERVED = frozenset({"published", "deprecated"})


@lru_cache(maxsize=MAX_RESOLVED)
def _place(workspace_id: UUID, app_id: UUID) -> UUID:
    return uuid5(workspace_id, app_id.hex)


@dataclass(frozen=True, slots=True)
class ResolvedApp:
    """An app as it may be served now: one version as a whole, and the policy at this moment."""

    workspace: VisitedWorkspace
    app: VisitedApp
    page: CompiledPage
    stale: bool = False

    @property
    def place(self) -> UUID:
        """Names the app among those of all workspaces: a copy of a workspace has apps of the same ids."""
        return _place(self.workspace.id, self.app.id)

    @property
    def key(self) -> tuple[UUID, UUID | None, int]:
        """Changes whenever anything that a page's static part shows may have changed."""
        return (self.place, self.app.release_id, self.app.policy.revision)


@dataclass(slots=True)
class _Entry:
    """What is known of one address. ``facts`` is None when there is nothing there, which is kept as briefly."""

    facts: tuple[VisitedWorkspace, VisitedApp] | None
    resolved: ResolvedApp | None
    looked_up: float
    stale: bool = False


class Resolver:
    """Resolves addresses; one for each process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._pages: OrderedDict[tuple[str, UUID], CompiledPage] = OrderedDict()
        self._lock = threading.Lock()
        self._refreshing: dict[tuple[str, str], threading.Lock] = {}
        self._failed_at = float("-inf")

    def resolve(self, workspace_ref: str, app_ref: str) -> ResolvedApp:
        """The app at an address, in a state that visitors may see.

        Raises NoSuchApp (none, unpublished, a workspace that isn't there), AppArchived, AppSuspended, and DatabaseDown
        when nothing is known of it and PostgreSQL doesn't answer.
        """
        entry = self._current_entry((workspace_ref, app_ref))
        if entry.facts is None:
            raise NoSuchApp
        if entry.resolved is not None:
            return entry.resolved
        workspace, app = entry.facts
        if workspace.status == "suspended":
            raise AppSuspended(retry_after=3600)
        if workspace.status == "active" and app.status == "archived":
            raise AppArchived
        raise NoSuchApp

    def knows(self, workspace_ref: str, app_ref: str) -> bool:
        """Whether this process has found an app at an address; costs no look-up."""
        entry = self._entries.get((workspace_ref, app_ref))
        return entry is not None and entry.facts is not None

    def forget(self) -> None:
        """Drop everything that is kept; the next request looks it up."""
        with self._lock:
            self._entries.clear()
            self._pages.clear()
            self._failed_at = float("-inf")

    def expire(self) -> None:
        """Look everything up anew at the next request; what is known stays for when the database is away."""
        with self._lock:
            for entry in self._entries.values():
                entry.looked_up = float("-inf")

    # --- Keeping ----------------------------------------------------------------------------------------------------

    def _current_entry(self, address: tuple[str, str]) -> _Entry:
        entry = self._entries.get(address)
        now = self._clock()
        refresh = settings.RUNTIME_REFRESH.total_seconds()
        if entry is not None and now - entry.looked_up < refresh:
            return entry
        with self._lock:
            lock = self._refreshing.setdefault(address, threading.Lock())
        # While one thread looks, the others go on with what is known, if it is young enough.
        young = entry is not None and (entry.stale or now - entry.looked_up < refresh * 1.8)
        if not lock.acquire(blocking=not young):
            assert entry is not None
            return entry
        try:
            entry = self._entries.get(address)
            if entry is not None and self._clock() - entry.looked_up < refresh:
                return entry
            return self._refresh(address, entry)
        finally:
            lock.release()
            with self._lock:
                self._refreshing.pop(address, None)

    def _refresh(self, address: tuple[str, str], known: _Entry | None) -> _Entry:
        if self._clock() - self._failed_at < RETRY_AFTER_FAILURE:
            return self._serve_stale(address, known)
        try:
            _drop_dead_connection()
            entry = self._look_up(address)
        except (OperationalError, InterfaceError) as problem:
            self._failed_at = self._clock()
            log.warning("runtime_database_unavailable", reason=str(problem)[:200])
            return self._serve_stale(address, known)
        self._keep(address, entry)
        return entry

    def _look_up(self, address: tuple[str, str]) -> _Entry:
        entry = self._find(address)
        if entry.resolved is None:
            keeping.forget_page(address)
        return entry

    def _find(self, address: tuple[str, str]) -> _Entry:
        with enter_public():
            workspace = find_visited_workspace(address[0])
        if workspace is None or workspace.status not in {"active", "suspended"}:
            return _Entry(None, None, self._clock())
        with enter(workspace):
            app = find_visited_app(address[1])
            if app is None:
                return _Entry(None, None, self._clock())
            if workspace.status != "active" or app.status not in _SERVED:
                return _Entry((workspace, app), None, self._clock())
            page = self._page(workspace, app, read_definition)
        resolved = ResolvedApp(workspace, app, page)
        known = self._entries.get(address)
        if known is None or known.resolved is None or known.resolved.key != resolved.key:
            keeping.keep_public_page(address, resolved)
        elif known.resolved == resolved:
            resolved = known.resolved
        return _Entry((workspace, app), resolved, self._clock())

    def _page(
        self, workspace: VisitedWorkspace, app: VisitedApp, read: Callable[[UUID], dict[str, Any]]
    ) -> CompiledPage:
        assert app.release_id is not None
        assert app.version_id is not None
        # Ids are unique in a workspace only: what an import brought has those of where it came from.
        key = (workspace.schema_name, app.release_id)
        page = self._pages.get(key)
        if page is None:
            page = compile_page(read(app.version_id))
            with self._lock:
                self._pages[key] = page
                while len(self._pages) > MAX_COMPILED:
                    self._pages.popitem(last=False)
        return page

    def _keep(self, address: tuple[str, str], entry: _Entry) -> None:
        with self._lock:
            self._entries[address] = entry
            self._entries.move_to_end(address)
            while len(self._entries) > MAX_RESOLVED:
                self._entries.popitem(last=False)

    # --- While the database is away -----------------------------------------------------------------------------------

    def _serve_stale(self, address: tuple[str, str], known: _Entry | None) -> _Entry:
        resolved = known.resolved if known is not None else None
        if resolved is None and known is not None and known.facts is not None:
            raise DatabaseDown  # it was taken back when it was last looked up
        if resolved is None:
            kept = keeping.read_public_page(address)
            if kept is None:
                raise DatabaseDown
            workspace, app, definition = kept
            resolved = ResolvedApp(workspace, app, self._page(workspace, app, lambda _: definition))
        if resolved.app.policy.audience != "public":
            raise DatabaseDown
        if not resolved.stale:
            resolved = replace(resolved, stale=True)
        entry = _Entry((resolved.workspace, resolved.app), resolved, self._clock(), stale=True)
        self._keep(address, entry)
        return entry


def preview_app(workspace: VisitedWorkspace, draft: DraftToShow) -> ResolvedApp:
    """A draft as an app of its own: open to the holder of the preview's address, of no version."""
    policy = VisitPolicy("public", (), "", "", 0, 0, 900, (), (), 0)
    app = VisitedApp(draft.app_id, draft.slug, draft.name, "draft", policy, None, None, None, None, None)
    return ResolvedApp(workspace, app, compile_page(draft.definition))


def _drop_dead_connection() -> None:
    """What Django does at the start of a request, and the short way (``middleware``) doesn't: a connection that broke
    is opened anew.
    """
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


resolver = Resolver()
"""The resolver of this process."""
