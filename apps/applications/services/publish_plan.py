"""What publishing would do, told before it is done: nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.applications.definitions.differences import Difference, compare_definitions
from apps.applications.definitions.exposure import NOTHING, exposure_of
from apps.applications.errors import AppNotFound
from apps.applications.models import AccessPolicy, App, AppVersion
from apps.applications.services.access_policies import is_anonymous
from apps.applications.services.checking import with_pins
from apps.applications.services.publishing import require_database_revision
from apps.applications.services.rows import version_of
from apps.applications.services.versions import next_number
from apps.applications.states import APP_TRANSITIONS, LIVE, AppStatus
from apps.common.canonical_json import digest

Contributor = Callable[[UUID], list[Any]]
"""Tells what of its own a publish of the app with this id touches; runs in the app's workspace."""

_contributors: dict[str, Contributor] = {}


def contribute_to_plan(name: str, contributor: Contributor) -> None:
    """Let an app above add what it knows to every plan under ``name``. Raises ValueError for a name that is taken."""
    if name in _contributors:
        raise ValueError(f"Somebody contributes {name} already")
    _contributors[name] = contributor


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The version that would go live beside the one that is, and what it would open to anonymous visitors."""

    version: int
    new_version: bool
    digest: str
    live_version: int | None
    difference: Difference
    audience: str
    anonymous: bool
    needs_expose: bool
    newly_readable: list[str]
    newly_executable: list[str]
    touched: Mapping[str, list[Any]] = field(default_factory=dict)


def plan_publish(*, app_id: UUID, workspace_id: UUID, version: int | None = None) -> PublishPlan:
    """What ``publish`` with this ``version`` would do now.

    Raises what it would raise, but for MayNotExpose: ``needs_expose`` says that instead.
    """
    app: App | None = App.objects.select_related("current_release__version", "access_policy").filter(pk=app_id).first()
    if app is None:
        raise AppNotFound
    live = app.status in LIVE
    if not live:
        APP_TRANSITIONS.require(app.status, AppStatus.PUBLISHED, what="app")
    if version is not None:
        require_database_revision(version_of(app, version), workspace_id=workspace_id)
    number, definition = _candidate(app, version)
    current: AppVersion | None = app.current_release.version if live and app.current_release is not None else None
    policy: AccessPolicy = app.access_policy
    anonymous = is_anonymous(policy.audience)
    before = exposure_of(current.definition) if current is not None else NOTHING
    after = exposure_of(definition) if anonymous else NOTHING
    return PublishPlan(
        version=number,
        new_version=version is None,
        digest=digest(definition),
        live_version=current.number if current is not None else None,
        difference=compare_definitions(current.definition if current is not None else {}, definition),
        audience=policy.audience,
        anonymous=anonymous,
        needs_expose=anonymous and not live,
        newly_readable=sorted(after.readable - before.readable),
        newly_executable=sorted(after.executable - before.executable),
        touched={name: contribute(app.pk) for name, contribute in sorted(_contributors.items())},
    )


def _candidate(app: App, version: int | None) -> tuple[int, dict[str, Any]]:
    if version is None:
        return next_number(app), with_pins(app.draft)
    return version, version_of(app, version).definition
