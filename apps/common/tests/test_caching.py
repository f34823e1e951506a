"""What browsers and proxies may keep of the API's answers."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db


def test_answers_are_kept_by_nobody_unasked(api: Any, workspace: Any) -> None:
    """By a proxy never, by a browser only to ask again with the ETag: what is shown belongs to its caller."""
    me = api.get("/api/v1/me")
    assert me["ETag"]
    assert me["Cache-Control"] == "private, no-cache"
    again = api.get("/api/v1/me", headers={"If-None-Match": me["ETag"]})
    assert (again.status_code, again["Cache-Control"]) == (304, "private, no-cache")
    assert api.get("/api/v1/workspaces")["Cache-Control"] == "no-store"
    assert api.get("/api/v1/nothing")["Cache-Control"] == "no-store"
    assert api.get(f"/api/v1/workspaces/{workspace.slug}/audit/export")["Cache-Control"] == "no-store"
    assert api.get("/api/v1/schema")["Cache-Control"] == "no-cache"
