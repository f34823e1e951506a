"""Versions and releases over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.applications.api.v1.serializers import (
    DifferenceItem,
    FullVersionItem,
    PublishInput,
    PublishPlanItem,
    ReleaseItem,
    RollbackInput,
    VersionInput,
    VersionItem,
)
from apps.applications.api.v1.views import AppActions
from apps.applications.selectors.apps import compare_versions, find_version, list_releases, list_versions
from apps.applications.services.publish_plan import plan_publish
from apps.applications.services.publishing import publish, roll_back
from apps.applications.services.versions import make_version
from apps.common.api.outputs import Created
from apps.common.api.pagination import Listing


class VersionViewSet(AppActions):
    """An app's versions. None of them ever changes."""

    required = {
        "list": "apps.view",
        "create": "apps.edit",
        "retrieve": "apps.view",
        "difference": "apps.view",
    }
    inputs = {"create": VersionInput}
    outputs = {
        "list": Listing(VersionItem, orders=("-number",)),
        "create": Created(VersionItem),
        "retrieve": FullVersionItem,
        "difference": DifferenceItem,
    }

    def list(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """All versions, newest first, without their definitions."""
        return self.page(list_versions(self.app))

    def create(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Make the draft the next version, with every workflow that it names as it is now. Nothing goes live."""
        version = make_version(
            app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now, **self.read()
        )
        return self.created(version, location=f"{request.path}/{version.number}")

    def retrieve(self, request: Request, workspace: str, number: int, app: str | None = None) -> Response:
        """One version with its definition."""
        return self.answer(find_version(self.app, number), revision=str(number))

    def difference(self, request: Request, workspace: str, a: int, b: int, app: str | None = None) -> Response:
        """What leads from version ``a`` to version ``b``."""
        return self.answer(compare_versions(self.app, a, b))


class ReleaseViewSet(AppActions):
    """What went live, and making something go live."""

    required = {"list": "apps.view", "publish": "apps.publish", "rollback": "apps.publish"}
    inputs = {"publish": PublishInput, "rollback": RollbackInput}
    outputs = {
        "list": Listing(ReleaseItem, orders=("-sequence",)),
        "publish": {200: PublishPlanItem, 201: ReleaseItem},
        "rollback": Created(ReleaseItem),
    }

    def list(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """All releases, newest first."""
        return self.page(list_releases(self.app))

    def publish(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Let a version go live: the one with this number, else the draft as the next one. With ``dry_run`` nothing
        happens and the plan is told (200): the difference, and what anonymous visitors could newly read or run.
        """
        given = self.read()
        if given.pop("dry_run"):
            return self.answer(
                plan_publish(app_id=self.app_id, workspace_id=self.workspace.id, version=given.get("version"))
            )
        release = publish(
            app_id=self.app_id,
            workspace=self.workspace,
            actor=self.actor,
            now=self.now,
            may_expose=self.may_expose,
            **given,
        )
        return self.answer(release, status=201)

    def rollback(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Let an older version go live again: this one, that of this release, or the one that was live before."""
        release = roll_back(app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now, **self.read())
        return self.answer(release, status=201)
