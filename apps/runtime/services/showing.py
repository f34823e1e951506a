"""A resolved app as a visitor sees it: the whole document, or the part that htmx swaps."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from apps.runtime.pages.compiled import PageState
from apps.runtime.pages.document import CSRF_MARK, NONCE_MARK, Document
from apps.runtime.pages.rendering import PageRenderer
from apps.runtime.services.resolution import ResolvedApp

_MAX_DOCUMENTS = 512


def show_region(resolved: ResolvedApp, state: PageState) -> SafeString:
    """All blocks of the page in a state: what htmx puts in place of what was there."""
    return render_to_string("runtime/region.html", {"content": PageRenderer(resolved.page, state).render()})


def show_document(resolved: ResolvedApp, state: PageState) -> SafeString:
    """The whole page in a state."""
    page, app = resolved.page, resolved.app
    return render_to_string(
        "runtime/page.html",
        {
            "title": page.title,
            "description": page.page.get("description", ""),
            "language": page.language,
            "theme": page.theme,
            "nonce": state.nonce,
            "region": show_region(resolved, state),
            "notices": show_notices(resolved),
            "workspace_name": resolved.workspace.name,
            "version": app.version,
            "indexed": app.policy.audience == "public" and app.status == "published",
            "refresh": bool(state.progress),
        },
    )


def show_notices(resolved: ResolvedApp) -> SafeString:
    """What visitors should know of the app itself: that it is going, or that it can't be asked anything now."""
    app = resolved.app
    return render_to_string(
        "runtime/notices.html",
        {
            "draft": app.status == "draft",
            "deprecated": app.status == "deprecated",
            "sunset_at": app.sunset_at,
            "stale": resolved.stale,
        },
    )


class Documents:
    """The first view of each page, as bytes: the same for every visitor but for two words."""

    def __init__(self) -> None:
        self._documents: OrderedDict[tuple[Any, ...], Document] = OrderedDict()
        self._lock = threading.Lock()

    def first_view(self, resolved: ResolvedApp, url: str) -> Document:
        """The document for an address; ``url`` is where its forms post to."""
        key: tuple[Any, ...] = (
            *resolved.key,
            resolved.app.status,
            resolved.app.sunset_at,
            resolved.workspace.name,
            resolved.stale,
            url,
        )
        if resolved.page.reads_the_clock:
            key = (*key, timezone.now().replace(second=0, microsecond=0))
        document = self._documents.get(key)
        if document is None:
            state = PageState(now=timezone.now(), url=url, csrf=CSRF_MARK, nonce=NONCE_MARK)
            document = Document(show_document(resolved, state))
            with self._lock:
                self._documents[key] = document
                while len(self._documents) > _MAX_DOCUMENTS:
                    self._documents.popitem(last=False)
        return document


def describe_app(resolved: ResolvedApp) -> dict[str, Any]:
    """The page and its actions for programs: what ``…/schema`` answers, without the token."""
    return {
        "app": {"id": str(resolved.app.id), "slug": resolved.app.slug, "name": resolved.app.name},
        "version": resolved.app.version,
        "page": resolved.page.page,
        "actions": {
            name: {"input": form.schema.document, "mode": form.mode} for name, form in resolved.page.forms.items()
        },
    }


def http_date(moment: dt.datetime) -> str:
    """A moment as RFC 9110 writes it (section 5.6.7)."""
    return moment.astimezone(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


documents = Documents()
"""The documents of this process."""
