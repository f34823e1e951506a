"""What the runtime needs to know of an app, in one query of the entered workspace."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.applications.models import App, AppVersion


@dataclass(frozen=True, slots=True)
class VisitPolicy:
    """Who may open an app, as it is now; ``revision`` grows with each change."""

    audience: str
    roles: tuple[str, ...]
    password_hash: str
    link_token: str
    visitor_limit: int
    app_limit: int
    session_seconds: int
    frame_ancestors: tuple[str, ...]
    addresses: tuple[str, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class VisitedApp:
    """An app as a visitor's request sees it: its state, its policy, and which release is current."""

    id: UUID
    slug: str
    name: str
    status: str
    policy: VisitPolicy
    release_id: UUID | None
    version_id: UUID | None
    version: int | None
    deprecated_at: dt.datetime | None
    sunset_at: dt.datetime | None


def find_visited_app(ref: str) -> VisitedApp | None:
    """The app with this id or slug in the entered workspace, whatever its state; None when there is none."""
    app = (
        App.objects.named(ref)
        .select_related("access_policy", "current_release__version")
        .defer("draft", "current_release__version__definition")
        .first()
    )
    if app is None:
        return None
    policy, release = app.access_policy, app.current_release
    return VisitedApp(
        id=app.id,
        slug=app.slug,
        name=app.name,
        status=app.status,
        policy=VisitPolicy(
            audience=policy.audience,
            roles=tuple(policy.roles),
            password_hash=policy.password_hash,
            link_token=policy.link_token,
            visitor_limit=policy.visitor_limit,
            app_limit=policy.app_limit,
            session_seconds=policy.session_seconds,
            frame_ancestors=tuple(policy.frame_ancestors),
            addresses=tuple(policy.addresses),
            revision=policy.revision,
        ),
        release_id=release.id if release else None,
        version_id=release.version_id if release else None,
        version=release.version.number if release else None,
        deprecated_at=app.deprecated_at,
        sunset_at=app.sunset_at,
    )


def read_definition(version_id: UUID) -> dict[str, Any]:
    """The definition of a version of the entered workspace. A version never changes, so what is read may be kept."""
    definition: dict[str, Any] = AppVersion.objects.values_list("definition", flat=True).get(id=version_id)
    return definition
