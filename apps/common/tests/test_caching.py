"""What browsers and proxies may keep of the API's answers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

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


def test_pages_of_somebody_signed_in_are_kept_by_nobody(user: Any, workspace: Any) -> None:
    """Recovery codes, secrets of authenticator apps and consoles stay in no shared computer's cache."""
    browser = Client()
    assert "no-store" not in browser.get("/api/docs/problems").headers.get("Cache-Control", "")
    browser.force_login(user)
    browser.post("/accounts/reauthenticate/", {"password": "correct horse 42"})
    for address in ("/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/sessions/", "/admin/w/?all"):
        assert "no-store" in browser.get(address).headers.get("Cache-Control", ""), address
