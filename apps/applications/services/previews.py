"""Previews: a signed address that shows an app's draft for a quarter of an hour, to whoever holds it.

It opens no longer than its maker may see the app: it ends with their membership, or with their role's permission.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing

from apps.applications.errors import PreviewOver
from apps.applications.models import App
from apps.applications.services.checking import with_pins
from apps.applications.services.records import app_url
from apps.common.actors import Actor, ActorKind
from apps.common.permissions import GrantedWorkspace, resolver
from apps.common.tenancy import enter_public

_SALT = "apps.applications.preview"


@dataclass(frozen=True, slots=True)
class Preview:
    """The address of a preview, its token, when both stop working, and the revision that it shows now."""

    url: str
    token: str
    expires_at: datetime
    draft_revision: int


@dataclass(frozen=True, slots=True)
class DraftToShow:
    """The draft that a preview's token opens, as the next version would be."""

    app_id: UUID
    slug: str
    name: str
    revision: int
    definition: dict[str, Any]


def make_preview(*, app: App, workspace: GrantedWorkspace, actor: Actor, now: datetime) -> Preview:
    """An address that shows the app's draft, whatever its policy says, until ``PREVIEW_LIFETIME`` has passed and while
    ``actor`` may see the app.
    """
    expires_at = (now + settings.PREVIEW_LIFETIME).replace(microsecond=0)
    told = [workspace.id.hex, app.pk.hex, int(expires_at.timestamp()), *_maker(actor)]
    token = signing.dumps(told, salt=_SALT)
    return Preview(
        url=f"{app_url(workspace, app)}?preview={token}",
        token=token,
        expires_at=expires_at,
        draft_revision=app.draft_revision,
    )


def open_preview(*, token: str, workspace_id: UUID, app_ref: str, now: datetime) -> DraftToShow:
    """The draft of the app ``app_ref`` (id or slug) of the entered workspace, for the holder of ``token``.

    Raises PreviewOver for a token that has expired, was made for another app or workspace, by somebody who may no
    longer see the app, or was never made by us; DefinitionRefused when a workflow that the draft names is gone.
    """
    try:
        workspace_hex, app_hex, expires, kind, maker_hex = signing.loads(token[:400], salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise PreviewOver from error
    if workspace_hex != workspace_id.hex or datetime.fromtimestamp(expires, tz=UTC) <= now:
        raise PreviewOver
    if not _may_still_view(kind, UUID(maker_hex), workspace_id):
        raise PreviewOver
    app = App.objects.named(app_ref).only("slug", "name", "draft", "draft_revision").filter(pk=UUID(app_hex)).first()
    if app is None:
        raise PreviewOver
    return DraftToShow(
        app_id=app.pk, slug=app.slug, name=app.name, revision=app.draft_revision, definition=with_pins(app.draft)
    )


def _maker(actor: Actor) -> tuple[str, str]:
    """The person behind ``actor``, or the service account that it is."""
    if actor.user_id is not None:
        return str(ActorKind.USER), actor.user_id.hex
    assert actor.id is not None, "only somebody with a grant makes previews"
    return str(actor.kind), actor.id.hex


def _may_still_view(kind: str, maker_id: UUID, workspace_id: UUID) -> bool:
    user_id = maker_id if kind == ActorKind.USER else None
    maker = Actor(kind=ActorKind(kind), id=maker_id, user_id=user_id)
    with enter_public():
        grant = resolver().grant_for(maker, str(workspace_id))
    return grant is not None and grant.allows("apps.view")
