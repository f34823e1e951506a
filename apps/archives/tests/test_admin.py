"""Exports in the consoles."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.archives.models import WorkspaceExport
from apps.archives.tests.factories import carry_out, export
from apps.audit.models import AuditEvent
from apps.common.tenancy import enter
from apps.operations.models import Operation

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(make_user: Any) -> Client:
    person = make_user(is_staff=True)
    browser = Client()
    browser.force_login(person)
    return browser


def test_an_operator_exports_a_workspace_and_downloads_it(operator: Client, workspace: Any) -> None:
    page = operator.get(f"/admin/workspaces/workspace/{workspace.pk}/change/")
    address = f"/admin/workspaces/workspace/{workspace.pk}/act/export/"
    assert address in page.content.decode()
    assert operator.post(address).status_code == 302
    assert carry_out(str(Operation.objects.get(kind="workspaces.export").pk)).status == "succeeded"
    row = WorkspaceExport.objects.get()
    link = f"/admin/archives/workspaceexport/{row.pk}/file/"
    assert link in operator.get("/admin/archives/workspaceexport/").content.decode()
    assert link in operator.get(f"/admin/archives/workspaceexport/{row.pk}/change/").content.decode()
    download: Any = operator.get(link)
    assert len(b"".join(download.streaming_content)) == row.size_bytes
    with enter(workspace):
        assert AuditEvent.objects.filter(action="workspace.export.download").count() == 1


def test_members_see_their_workspaces_exports_only(
    api: Any, user: Any, workspace: Any, make_user: Any, make_workspace: Any
) -> None:
    result, _ = export(api, workspace)
    other = make_workspace(owner=make_user())
    theirs = make_workspace(owner=user)
    member, stranger = Client(), Client()
    member.force_login(user)
    stranger.force_login(other.owner)
    row = f"archives/workspaceexport/{result['export']}"
    assert result["export"] in member.get(f"/admin/w/{workspace.slug}/archives/workspaceexport/").content.decode()
    assert member.get(f"/admin/w/{workspace.slug}/{row}/file/").status_code == 200
    assert member.get(f"/admin/w/{theirs.slug}/{row}/file/").status_code == 404
    assert stranger.get(f"/admin/w/{other.slug}/{row}/file/").status_code == 404
    assert stranger.get(f"/admin/w/{workspace.slug}/{row}/file/").status_code in (403, 404)
    assert member.get(f"/admin/{row}/file/").status_code == 302


def test_keys_are_not_shown(operator: Client, api: Any, workspace: Any) -> None:
    result, _ = export(api, workspace)
    page = operator.get(f"/admin/archives/workspaceexport/{result['export']}/change/").content.decode()
    assert "v1.test." not in page
    assert ".sealed" not in page
