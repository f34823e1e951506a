"""Every list of the API, asked in every order that it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from apps.common.api.outputs import Listing
from apps.common.tenancy import enter
from apps.workflows.models import Run
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db


def _lists(patterns: Any, prefix: str = "/") -> Iterator[tuple[str, Listing]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _lists(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern) and prefix.startswith("/api/v1/"):
            view: Any = getattr(pattern.callback, "cls", getattr(pattern.callback, "view_class", None))
            actions = getattr(pattern.callback, "actions", None) or {"get": "get"}
            listing = getattr(view, "outputs", {}).get(actions.get("get"))
            if isinstance(listing, Listing):
                yield prefix + str(pattern.pattern), listing


LISTS = sorted(_lists(get_resolver().url_patterns), key=lambda found: found[0])


@pytest.mark.parametrize(("address", "listing"), LISTS, ids=[address for address, _ in LISTS])
def test_a_list_takes_every_order_that_it_names(api: Any, workspace: Any, address: str, listing: Listing) -> None:
    with enter(workspace):
        run = Run.objects.create(trigger="api", created_at=timezone.now())
    words = {"workspace": workspace.slug, "app": "home", "run": str(run.pk)}
    for name, word in words.items():
        for converter in ("", "str:", "slug:", "uuid:"):
            address = address.replace(f"<{converter}{name}>", word)
    assert "<" not in address
    for name in listing.columns:
        for order in (name, f"-{name}"):
            assert api.get(f"{address}?order={order}").status_code == 200, order


def test_members_are_paged_by_address(api: Any, workspace: Any, make_user: Any) -> None:
    for person in (make_user(), make_user(), make_user()):
        add_member(workspace, person, "viewer")
    for order in ("email", "-email", "name"):
        address, found = f"/api/v1/workspaces/{workspace.slug}/members?limit=1&order={order}", []
        while address:
            page = api.get(address).json()
            found += [item["user"]["email"] for item in page["items"]]
            address = page["next"]
        assert len(set(found)) == len(found) == 4
        if order != "name":
            assert found == sorted(found, reverse=order.startswith("-"))
