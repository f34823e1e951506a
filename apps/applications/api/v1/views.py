"""Apps over HTTP. Each action on an app also exists one level up, on the workspace, and acts on its default app."""

from __future__ import annotations

from functools import cached_property
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.applications.api.v1.filters import AppFilters
from apps.applications.api.v1.parsers import DefinitionParser
from apps.applications.api.v1.serializers import (
    AppChanges,
    AppInput,
    AppItem,
    CopyInput,
    DeprecationInput,
    DraftInput,
    DraftItem,
    NothingInput,
)
from apps.applications.definitions.schema import definition_schema
from apps.applications.errors import AppNotFound
from apps.applications.models import App
from apps.applications.querysets import AppQuerySet
from apps.applications.selectors.apps import find_app, find_draft, list_apps
from apps.applications.services import lifecycle
from apps.applications.services.apps import change_app, create_app, delete_app, duplicate_app
from apps.applications.services.drafts import save_draft
from apps.common.api.outputs import Created, Raw
from apps.common.api.pagination import Listing
from apps.common.api.permissions import OPEN
from apps.common.api.views import ApiView, WorkspaceViewSet
from apps.common.revisions import revision_of


class AppActions(WorkspaceViewSet):
    """The base of what acts on one app: that of the URL, or, one level up, the workspace's default app."""

    @cached_property
    def app(self) -> App:
        """The app without its draft. Raises AppNotFound."""
        return find_app(self.ref)

    @property
    def ref(self) -> str:
        """The app's id or slug."""
        ref = self.kwargs.get("app") or self.workspace.default_app_id
        if ref is None:
            raise AppNotFound("This workspace has no default app.")
        return str(ref)

    @property
    def may_expose(self) -> bool:
        """Whether the caller may open apps to anonymous visitors."""
        return self.grant is not None and self.grant.allows("apps.expose")

    @property
    def app_id(self) -> UUID:
        found: UUID = self.app.pk
        return found


def _search(apps: AppQuerySet, text: str) -> AppQuerySet:
    for word in text.split()[:8]:
        apps = apps.matching(word)
    return apps


class AppViewSet(AppActions):
    """The apps of a workspace; ``{app}`` is the id or the slug."""

    parser_classes = [DefinitionParser]
    required = {
        "list": "apps.view",
        "create": "apps.create",
        "retrieve": "apps.view",
        "partial_update": "apps.edit",
        "destroy": "apps.delete",
        "retrieve_draft": "apps.view",
        "save_draft": "apps.edit",
        "duplicate": "apps.create",
        "unpublish": "apps.publish",
        "deprecate": "apps.publish",
        "undeprecate": "apps.publish",
        "archive": "apps.archive",
        "unarchive": "apps.archive",
    }
    inputs = {
        "create": AppInput,
        "partial_update": AppChanges,
        "save_draft": DraftInput,
        "duplicate": CopyInput,
        "unpublish": NothingInput,
        "deprecate": DeprecationInput,
        "undeprecate": NothingInput,
        "archive": NothingInput,
        "unarchive": NothingInput,
    }
    outputs = {
        "list": Listing(
            AppItem, orders=("-created_at", "name", "slug", "updated_at"), search=_search, filters=AppFilters
        ),
        "create": Created(AppItem),
        "retrieve": AppItem,
        "partial_update": AppItem,
        "destroy": None,
        "retrieve_draft": DraftItem,
        "save_draft": DraftItem,
        "duplicate": Created(AppItem),
        "unpublish": AppItem,
        "deprecate": AppItem,
        "undeprecate": AppItem,
        "archive": AppItem,
        "unarchive": AppItem,
    }
    conditional = {"partial_update": "optional", "destroy": "optional", "save_draft": "required"}

    def list(self, request: Request, workspace: str) -> Response:
        """All apps, newest first."""
        return self.page(list_apps())

    def create(self, request: Request, workspace: str) -> Response:
        """Make an app. It begins as a draft that only members may visit."""
        app = create_app(workspace=self.workspace, actor=self.actor, now=self.now, **self.read())
        return self.created(app, location=self._address(app))

    def retrieve(self, request: Request, workspace: str, app: str) -> Response:
        """One app."""
        return self.answer(self.app)

    def partial_update(self, request: Request, workspace: str, app: str) -> Response:
        """Change an app's name, slug or description."""
        changed = change_app(
            app_id=self.app_id,
            workspace=self.workspace,
            actor=self.actor,
            changes=self.read(),
            expected=self.expected,
            now=self.now,
        )
        return self.answer(changed)

    def destroy(self, request: Request, workspace: str, app: str) -> Response:
        """Delete an app with its versions and releases, for good. One that was ever published has to be archived first;
        the workspace's default app can't be deleted.
        """
        delete_app(
            app_id=self.app_id,
            workspace=self.workspace,
            default_app_id=self.workspace.default_app_id,
            actor=self.actor,
            expected=self.expected,
            now=self.now,
        )
        return self.nothing()

    def retrieve_draft(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """The draft, with the ETag that saving it takes."""
        draft = find_draft(self.ref)
        return self.answer(draft, revision=revision_of(draft, column="draft_revision"))

    def save_draft(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Save the draft. Send the ETag that was read as If-Match; 412 when somebody else saved meanwhile."""
        saved = save_draft(
            app_id=self.app_id,
            workspace=self.workspace,
            actor=self.actor,
            expected=self.expected,
            now=self.now,
            definition=self.read()["definition"],
        )
        return self.answer(saved, revision=revision_of(saved, column="draft_revision"))

    def duplicate(self, request: Request, workspace: str, app: str) -> Response:
        """A new app with the draft of this one. Its history begins anew, and only members may visit it."""
        copy = duplicate_app(
            app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now, **self.read()
        )
        return self.created(copy, location=self._address(copy))

    def unpublish(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Take the app from its visitors: they get 404. Versions and releases stay."""
        self.read()
        lifecycle.unpublish(app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now)
        return self._changed()

    def deprecate(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Announce that the app will go: it still runs, with a notice, and the headers Deprecation and Sunset."""
        lifecycle.deprecate(app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now, **self.read())
        return self._changed()

    def undeprecate(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """The app stays after all."""
        self.read()
        lifecycle.undeprecate(app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now)
        return self._changed()

    def archive(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Put the app away: visitors get 410. Everything is kept."""
        self.read()
        lifecycle.archive(app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now)
        return self._changed()

    def unarchive(self, request: Request, workspace: str, app: str | None = None) -> Response:
        """Take the app back: as a draft, or unpublished when it was ever published."""
        self.read()
        lifecycle.unarchive(app_id=self.app_id, workspace=self.workspace, actor=self.actor, now=self.now)
        return self._changed()

    def _address(self, app: App) -> str:
        return f"/api/v1/workspaces/{self.workspace.slug}/apps/{app.slug}"

    def _changed(self) -> Response:
        return self.answer(find_app(str(self.app_id)))


class DefinitionSchemaView(ApiView):
    """The grammar of definitions, for editors and for programs that write them."""

    required = {"get": OPEN}
    outputs = {"get": Raw("application/schema+json", "JSON Schema (draft 2020-12) of an app's definition.")}

    def get(self, request: Request) -> Response:
        """The JSON Schema of a definition."""
        schema = definition_schema()
        response = Response(schema, content_type="application/schema+json")
        response.revision = str(schema["properties"]["schema_version"]["const"])  # type: ignore[attr-defined]
        return response
