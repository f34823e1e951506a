"""Exporting and importing over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.applications.models import AccessPolicy, App
from apps.archives.models import WorkspaceExport, WorkspaceImport
from apps.archives.services.forgetting import expire_archives
from apps.archives.tests.factories import bring, carry_out, export, forged, members_of, publish_public_app, upload
from apps.audit.models import AuditEvent
from apps.common.canonical_json import digest
from apps.common.row_copies import decode_row
from apps.common.tenancy import enter
from apps.events.models import Event
from apps.operations.models import Operation
from apps.workflows.models import Run
from apps.workspaces.models import DueWork, Membership, Role, Workspace
from apps.workspaces.models.membership import built_in_role_id

pytestmark = pytest.mark.django_db


def hashes(export_id: str) -> dict[str, tuple[int, str]]:
    manifest = WorkspaceExport.objects.get(pk=export_id).manifest
    return {table["name"]: (table["rows"], table["sha256"]) for table in manifest["tables"]}


def run_app(address: str) -> Any:
    return Client().post(
        address, {"action": "double", "inputs": {"n": 21}}, content_type="application/json", headers={"Accept": "*/*"}
    )


def test_a_workspace_is_imported_beside_itself_and_its_app_runs(api: Any, user: Any, workspace: Any) -> None:
    app = publish_public_app(workspace)
    Role.objects.create(workspace=workspace, code="support", name="Support", codes=["apps.view"])
    Workspace.objects.filter(pk=workspace.pk).update(config={"labels": {"team": "A"}}, time_zone="Europe/Vienna")
    result, archive = export(api, workspace)
    done = bring(api, archive, slug="the-copy", name="The copy")
    assert done.status == "succeeded", done.error
    copy = Workspace.objects.get(slug="the-copy")
    assert (str(copy.pk), copy.name, copy.owner, copy.status) == (done.result["workspace"], "The copy", user, "active")
    assert (copy.config, copy.time_zone) == ({"labels": {"team": "A"}}, "Europe/Vienna")
    assert copy.default_app_id == Workspace.objects.get(pk=workspace.pk).default_app_id
    assert list(Role.objects.filter(workspace=copy).values_list("code", "codes")) == [("support", ["apps.view"])]
    assert Membership.objects.get(workspace=copy).user == user
    assert DueWork.objects.filter(workspace=copy, kind="retention").exists()
    with enter(copy):
        assert App.objects.get(slug="doubler").pk == app.pk
        act = AuditEvent.objects.get(action="workspace.import")
        assert act.changes["sha256"] == [None, result["sha256"]]
    assert Event.objects.filter(type="workspace.imported", workspace_id=copy.pk).count() == 1
    answer = run_app("/runtime/the-copy/doubler")
    assert answer.status_code == 200, answer.content
    assert answer.json()["outputs"] == {"twice": 42.0}
    # What the copy does is its own.
    with enter(workspace):
        assert Run.objects.count() == 0


def test_an_import_exports_again_to_the_same_rows(api: Any, workspace: Any) -> None:
    publish_public_app(workspace)
    run_app(f"/runtime/{workspace.slug}/doubler")
    first, archive = export(api, workspace)
    copy = Workspace.objects.get(pk=bring(api, archive).result["workspace"])
    second, again = export(api, copy)
    before, after = hashes(first["export"]), hashes(second["export"])
    assert {name for name in before if before[name] != after[name]} == {"audit_auditevent"}
    assert before["workflows_run"][0] == 1
    trail = "tables/audit_auditevent/000001.copy"
    lines_before = set(dict(members_of(archive))[trail].splitlines())
    lines_after = set(dict(members_of(again))[trail].splitlines())
    assert lines_before < lines_after
    added = sorted(line.split(b"\t")[7] for line in lines_after - lines_before)
    assert added == [b"workspace.export", b"workspace.import"]


def test_a_copy_bears_the_name_it_had_and_a_free_slug(api: Any, workspace: Any) -> None:
    _, archive = export(api, workspace)
    copy = Workspace.objects.get(pk=bring(api, archive).result["workspace"])
    assert copy.name == workspace.name
    assert copy.slug != workspace.slug


def test_passwords_and_links_of_apps_stay_behind(api: Any, workspace: Any) -> None:
    app = publish_public_app(workspace)
    with enter(workspace):
        AccessPolicy.objects.filter(app=app).update(audience="link", link_token="secret-token-1", password_hash="argon")
    result, archive = export(api, workspace)
    assert {(left["table"], left["column"]) for left in result["left_out"]} == {
        ("applications_accesspolicy", "password_hash"),
        ("applications_accesspolicy", "link_token"),
        *((model._meta.db_table, "*") for model in apps.get_app_config("billing").get_models()),
    }
    with enter(Workspace.objects.get(pk=bring(api, archive).result["workspace"])):
        policy = AccessPolicy.objects.get(app=app.pk)
        assert (policy.audience, policy.link_token, policy.password_hash) == ("link", "", "")


def test_a_run_that_was_under_way_is_not_run_again(api: Any, workspace: Any) -> None:
    with enter(workspace):
        Run.objects.create(trigger="api", status="running", created_at=timezone.now(), inputs={})
    _, archive = export(api, workspace)
    with enter(Workspace.objects.get(pk=bring(api, archive).result["workspace"])):
        assert Run.objects.get().status == "canceled"


def test_what_lies_in_the_storage_is_sealed(api: Any, workspace: Any, storage_folder: Path) -> None:
    _, archive = export(api, workspace)
    (stored,) = (storage_folder / "exports").iterdir()
    assert archive[:64] not in stored.read_bytes()
    answer = upload(api, archive)
    assert answer.status_code == 202
    (received,) = (storage_folder / "imports").iterdir()
    assert archive[:64] not in received.read_bytes()
    carry_out(answer.data["id"])
    assert list((storage_folder / "imports").iterdir()) == []


def test_each_download_is_in_the_trail(api: Any, workspace: Any) -> None:
    result, archive = export(api, workspace)
    answer = api.get(result["download"], headers={"Accept-Encoding": "gzip"})
    assert b"".join(answer.streaming_content) == archive
    assert answer["Content-Length"] == str(len(archive))
    assert answer["Content-Disposition"].startswith(f'attachment; filename="{workspace.slug}-')
    with enter(workspace):
        assert AuditEvent.objects.filter(action="workspace.export.download", target_id=result["export"]).count() == 2


def test_exports_are_listed_and_deleted(
    api: Any, workspace: Any, storage_folder: Path, django_capture_on_commit_callbacks: Any
) -> None:
    here = f"/api/v1/workspaces/{workspace.slug}/exports"
    result, _ = export(api, workspace)
    (item,) = api.get(here).data["items"]
    assert (item["id"], item["status"], item["sha256"]) == (result["export"], "ready", result["sha256"])
    assert api.get(f"{here}/{result['export']}").data["rows"] == result["rows"]
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"{here}/{result['export']}").data["status"] == "expired"
    assert api.get(result["download"]).status_code == 410
    assert list((storage_folder / "exports").iterdir()) == []


def test_exports_and_failed_imports_expire(api: Any, workspace: Any, storage_folder: Path, settings: Any) -> None:
    result, archive = export(api, workspace)
    failed = bring(api, archive[:-20])
    assert failed.status == "failed"
    assert expire_archives(now=timezone.now()) == 0
    later = timezone.now() + settings.EXPORT_LIFETIME + timedelta(minutes=1)
    assert api.get(result["download"]).status_code == 200
    stray = storage_folder / "exports" / f"{uuid4()}.tar.zst.sealed"
    stray.write_bytes(b"left by a process that died")
    assert expire_archives(now=later) == 3
    assert expire_archives(now=later) == 0
    assert [*(storage_folder / "exports").iterdir(), *(storage_folder / "imports").iterdir()] == []
    assert WorkspaceImport.objects.get().status == "expired"
    assert api.get(result["download"]).status_code == 410


def test_an_export_that_is_not_ready_is_not_downloaded(api: Any, workspace: Any) -> None:
    api.post(f"/api/v1/workspaces/{workspace.slug}/export")
    row = WorkspaceExport.objects.get()
    answer = api.get(f"/api/v1/workspaces/{workspace.slug}/exports/{row.pk}/download")
    assert (answer.status_code, answer.data["code"]) == (409, "export_not_ready")


def test_only_owners_and_admins_export(api: Any, workspace: Any, make_user: Any, make_client: Any) -> None:
    result, _ = export(api, workspace)
    here = f"/api/v1/workspaces/{workspace.slug}"
    for role, allowed in (("admin", True), ("developer", False), ("operator", False), ("viewer", False)):
        person = make_user()
        Membership.objects.create(
            workspace=workspace, user=person, role_id=built_in_role_id(role), joined_at=timezone.now()
        )
        client = make_client(person)
        assert client.post(f"{here}/export").status_code == (202 if allowed else 403)
        assert client.get(f"{here}/exports").status_code == (200 if allowed else 403)
        assert client.get(f"{here}/exports/{result['export']}").status_code == (200 if allowed else 403)
        assert client.get(result["download"]).status_code == (200 if allowed else 403)
        assert client.delete(f"{here}/exports/{uuid4()}").status_code == (404 if allowed else 403)


def test_another_workspaces_caller_learns_nothing(
    api: Any, workspace: Any, make_user: Any, make_client: Any, make_workspace: Any
) -> None:
    result, _ = export(api, workspace)
    stranger = make_user()
    theirs = make_workspace(owner=stranger)
    client = make_client(stranger)
    for slug in (workspace.slug, theirs.slug):
        here = f"/api/v1/workspaces/{slug}/exports/{result['export']}"
        assert client.get(here).status_code == 404
        assert client.get(f"{here}/download").status_code == 404
        assert client.delete(here).status_code == 404
    assert client.post(f"/api/v1/workspaces/{workspace.slug}/export").status_code == 404
    assert client.get(f"/api/v1/workspaces/{workspace.slug}/exports").status_code == 404
    operation = Operation.objects.get(kind="workspaces.export")
    assert client.get(f"/api/v1/operations/{operation.pk}").status_code == 404


def test_nobody_imports_for_another(api: Any, workspace: Any, make_client: Any, make_user: Any) -> None:
    _, archive = export(api, workspace)
    assert upload(make_client(), archive).status_code == 401
    answer = upload(api, archive)
    assert make_client(make_user()).get(answer["Location"]).status_code == 404
    assert api.get(answer["Location"]).data["target"]["kind"] == "workspace_import"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"slug": "Not a slug"}, 400, "invalid_slug"),
        ({"slug": "admin"}, 400, "reserved_slug"),
        ({"name": "x" * 101}, 400, "max_length"),
        ({"name": "line\nbreak"}, 400, "invalid_name"),
        ({"colour": "red"}, 400, "unknown_field"),
    ],
)
def test_bad_fields_are_refused_before_anything_is_kept(
    api: Any, workspace: Any, fields: dict[str, str], status: int, code: str, storage_folder: Path
) -> None:
    answer = upload(api, b"anything", **fields)
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (status, code), answer.data
    assert not (storage_folder / "imports").exists()


def test_bodies_that_hold_no_archive(api: Any, workspace: Any) -> None:
    address = "/api/v1/workspaces/import"
    assert api.post(address, {"name": "x"}, format="multipart").status_code == 400
    assert api.post(address, {"archive": "text"}, format="multipart").status_code == 400
    assert api.post(address, {"archive": "x"}, format="json").status_code == 415
    assert api.generic("POST", address, b"nothing", content_type="multipart/form-data").status_code == 400


def test_a_body_without_a_length_is_told_to_have_one(api: Any, workspace: Any) -> None:
    _, archive = export(api, workspace)
    api.credentials(HTTP_TRANSFER_ENCODING="chunked")
    answer = upload(api, archive)
    assert answer.status_code == 400
    assert "Content-Length" in answer.data["detail"]


def test_a_taken_slug_is_said_at_once(api: Any, workspace: Any) -> None:
    _, archive = export(api, workspace)
    answer = upload(api, archive, slug=workspace.slug)
    assert (answer.status_code, answer.data["code"]) == (409, "slug_taken")


def test_a_slug_that_is_taken_meanwhile_fails_the_import_whole(
    api: Any, workspace: Any, make_workspace: Any, make_user: Any
) -> None:
    _, archive = export(api, workspace)
    answer = upload(api, archive, slug="wanted")
    other = make_workspace(owner=make_user())
    Workspace.objects.filter(pk=other.pk).update(slug="wanted")
    before = Workspace.objects.count()
    done = carry_out(answer.data["id"])
    assert (done.status, done.error["code"]) == ("failed", "slug_taken")
    assert Workspace.objects.count() == before


def test_archives_are_bounded(api: Any, workspace: Any, settings: Any, storage_folder: Path) -> None:
    _, archive = export(api, workspace)
    settings.ARCHIVE_MAX_BYTES = len(archive) - 1
    answer = upload(api, archive)
    assert (answer.status_code, answer.data["code"]) == (413, "archive_too_large")
    assert not (storage_folder / "imports").exists()


def test_one_person_has_few_imports_waiting(api: Any, workspace: Any, settings: Any) -> None:
    settings.IMPORTS_PER_PERSON = 1
    _, archive = export(api, workspace)
    assert upload(api, archive).status_code == 202
    answer = upload(api, archive)
    assert (answer.status_code, answer.data["code"]) == (409, "too_many_imports")


def test_one_person_has_not_too_many_workspaces(api: Any, workspace: Any, settings: Any) -> None:
    _, archive = export(api, workspace)
    settings.WORKSPACES_PER_OWNER = 1
    answer = upload(api, archive)
    assert (answer.status_code, answer.data["code"]) == (409, "too_many_workspaces")


def test_an_import_is_repeated_under_its_key(api: Any, workspace: Any) -> None:
    _, archive = export(api, workspace)
    with_key = {"HTTP_IDEMPOTENCY_KEY": "import-1"}
    api.credentials(**with_key)
    first, again = upload(api, archive), upload(api, archive)
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.data["id"], again["Idempotency-Replayed"]) == (first.data["id"], "true")
    assert upload(api, archive + b"x").status_code == 422
    assert WorkspaceImport.objects.count() == 1


def test_a_closed_workspace_is_still_exported(api: Any, workspace: Any) -> None:
    assert api.delete(f"/api/v1/workspaces/{workspace.slug}").status_code == 200
    result, _ = export(api, workspace)
    assert result["rows"] > 0


def test_whoever_asked_tries_a_failed_import_again(
    api: Any, workspace: Any, settings: Any, make_client: Any, make_user: Any
) -> None:
    _, archive = export(api, workspace)
    settings.ARCHIVE_MAX_ROWS = 1
    done = bring(api, archive)
    assert (done.status, done.error["code"]) == ("failed", "archive_too_large")
    settings.ARCHIVE_MAX_ROWS = 1000
    assert make_client(make_user()).post(f"/api/v1/operations/{done.pk}/retry").status_code == 404
    assert api.post(f"/api/v1/operations/{done.pk}/retry").status_code == 200
    again = carry_out(str(done.pk))
    assert again.status == "succeeded", again.error
    assert Workspace.objects.filter(pk=again.result["workspace"], status="active").exists()


def test_an_archive_with_the_ids_of_anothers_release_changes_nothing_there(api: Any, workspace: Any) -> None:
    """Ids are unique in a workspace only, and whoever writes an archive chooses them: what processes keep is apart."""
    publish_public_app(workspace)
    _, archive = export(api, workspace)
    table = "applications_appversion"
    record = next(said for said in json.loads(members_of(archive)[-1][1])["tables"] if said["name"] == table)

    def rewrite(rows: bytes) -> bytes:
        fields = rows[:-1].split(b"\t")
        place = record["columns"].index("definition")
        definition = json.loads(decode_row(rows[:-1], record["columns"])["definition"])
        definition["page"]["blocks"][0]["text"] = "Written by hand."
        step = definition["actions"]["double"]["workflow"]["steps"][0]
        step["set"]["twice"]["expr"] = "inputs.n * 3.0"
        with connection.cursor() as cursor:  # as PostgreSQL writes it
            cursor.execute("SELECT %s::jsonb::text", [json.dumps(definition)])
            fields[place] = cursor.fetchone()[0].replace("\\", "\\\\").encode()
        fields[record["columns"].index("digest")] = digest(definition).encode()
        return b"\t".join(fields) + b"\n"

    done = bring(api, forged(archive, table=table, rows=rewrite), slug="forged")
    assert done.status == "succeeded", done.error
    shown = {slug: Client().get(f"/runtime/{slug}/doubler").content.decode() for slug in ("forged", workspace.slug)}
    assert "Written by hand." in shown["forged"]
    assert "Written by hand." not in shown[workspace.slug]
    results = [run_app(f"/runtime/{slug}/doubler").json()["outputs"]["twice"] for slug in ("forged", workspace.slug)]
    assert results == [63.0, 42.0]
