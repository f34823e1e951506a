"""Who may have which slug."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.conf import settings

from apps.common.slugs import make_slug
from apps.workspaces.errors import SlugTaken
from apps.workspaces.models import SlugHold

_ATTEMPTS = 5
#: Without letters and digits that look like one another.
_SUFFIX_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def derived_slugs(name: str) -> Iterator[str]:
    """Slugs for ``name``, the plain one first, then with longer and longer random suffixes."""
    base = make_slug(name, fallback="team")
    yield base
    for length in range(4, 4 + _ATTEMPTS):
        yield f"{base[: 62 - length].rstrip('-')}-{random_suffix(length)}"


def random_suffix(length: int) -> str:
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(length))


def require_not_held(slug: str, *, owner_id: UUID, now: datetime) -> None:
    """Raise SlugTaken while another owner's claim on a slug that they gave up still holds.

    Asked after the slug was written: whoever gives it up and whoever takes it meet at the unique index, and the later
    one sees the hold.
    """
    if SlugHold.objects.filter(slug=slug, until__gt=now).exclude(owner_id=owner_id).exists():
        raise SlugTaken


def hold_slug(slug: str, *, owner_id: UUID, now: datetime) -> None:
    """Keep a slug that is given up from everyone but its owner for the quarantine (90 days)."""
    SlugHold.objects.update_or_create(
        slug=slug, defaults={"owner_id": owner_id, "until": now + settings.SLUG_QUARANTINE}
    )
