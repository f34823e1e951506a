"""Public pages kept in Redis, for processes that start while PostgreSQL is away.

Only apps that anyone may open are kept, as plain JSON, for a day; what is read is checked like any input would be by
the constructor of each part. Redis being away is no reason to fail: nothing is kept then, or found.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.core.cache import caches

from apps.applications.selectors import VisitedApp, VisitPolicy
from apps.workspaces.selectors import VisitedWorkspace

if TYPE_CHECKING:
    from apps.runtime.services.resolution import ResolvedApp

log = structlog.get_logger(__name__)

KEPT_FOR = dt.timedelta(days=1)

_Kept = tuple[VisitedWorkspace, VisitedApp, dict[str, Any]]


def keep_public_page(address: tuple[str, str], resolved: ResolvedApp) -> None:
    """Keep a page for worse times, or drop it when it is no longer public."""
    key = _key(address)
    try:
        if resolved.app.policy.audience != "public":
            caches["global"].delete(key)
            return
        document = {
            "workspace": dataclasses.asdict(resolved.workspace),
            "app": dataclasses.asdict(resolved.app),
            "definition": resolved.page.definition,
        }
        caches["global"].set(key, json.dumps(document, default=str), KEPT_FOR.total_seconds())
    except Exception as problem:  # noqa: BLE001 - redis-py's errors are many, and none of them is the visitor's business
        log.info("page_not_kept", reason=str(problem)[:200])


def forget_page(address: tuple[str, str]) -> None:
    """Drop what was kept for an address at which there is nothing to serve any more."""
    try:
        caches["global"].delete(_key(address))
    except Exception as problem:  # noqa: BLE001 - as above
        log.info("page_not_forgotten", reason=str(problem)[:200])


def read_public_page(address: tuple[str, str]) -> _Kept | None:
    """What was kept for an address, or None."""
    try:
        found = caches["global"].get(_key(address))
    except Exception as problem:  # noqa: BLE001 - as above
        log.info("page_not_read", reason=str(problem)[:200])
        return None
    if found is None:
        return None
    document = json.loads(found)
    workspace, app = document["workspace"], document["app"]
    policy: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in app.pop("policy").items()}
    return (
        VisitedWorkspace(**workspace | {"id": UUID(workspace["id"])}),
        VisitedApp(
            **app
            | {name: UUID(app[name]) for name in ("id", "release_id", "version_id")}
            | {name: _moment(app[name]) for name in ("deprecated_at", "sunset_at")},
            policy=VisitPolicy(**policy),
        ),
        document["definition"],
    )


def _key(address: tuple[str, str]) -> str:
    return f"page:{address[0]}/{address[1]}"


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
