"""Archives that somebody cut, changed or wrote by hand: refused with a reason, and nothing is left behind."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import zstandard
from django.db import connection
from django.utils import timezone

from apps.archives.errors import ArchiveBroken, ArchiveTooLarge
from apps.archives.services.containers import read_members
from apps.archives.tests.factories import bring, export, forged, members_of, packed, publish_public_app
from apps.workspaces.models import SchemaSlot, Workspace

pytestmark = pytest.mark.django_db


def traces() -> tuple[int, int]:
    """How many workspaces there are, and how many schemas beside those of workspaces and slots."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ws\\_%%'")
        schemas = {name for (name,) in cursor.fetchall()}
    owned = {*Workspace.objects.values_list("schema_name", flat=True)}
    owned |= {*SchemaSlot.objects.values_list("schema_name", flat=True)}
    return Workspace.objects.count(), len(schemas - owned)


@pytest.fixture
def archive(api: Any, workspace: Any) -> bytes:
    publish_public_app(workspace)
    return export(api, workspace)[1]


@pytest.fixture(autouse=True)
def nothing_is_left(api: Any, archive: bytes) -> Iterator[None]:
    before = traces()
    yield
    assert traces() == before


def refused(api: Any, archive: bytes) -> dict[str, Any]:
    done = bring(api, archive)
    assert done.status == "failed", done.result
    assert done.failures == 1, "it is not tried again"
    error: dict[str, Any] = done.error
    return error


@pytest.mark.parametrize("kept", [0, 1, 100, -1, -600])
def test_cut_off(api: Any, archive: bytes, kept: int) -> None:
    assert refused(api, archive[:kept])["code"] == "archive_broken"


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.999])
def test_one_bit_flipped(api: Any, archive: bytes, place: float) -> None:
    changed = bytearray(archive)
    changed[int(len(changed) * place)] ^= 1
    assert refused(api, bytes(changed))["code"] in {"archive_broken", "archive_not_understood"}


def test_something_behind_its_end(api: Any, archive: bytes) -> None:
    assert refused(api, archive + b"more")["code"] == "archive_broken"
    assert refused(api, archive + archive)["code"] == "archive_broken"


def test_no_manifest_or_one_that_is_not_last(api: Any, archive: bytes) -> None:
    members = members_of(archive)
    assert refused(api, packed(members[:-1]))["code"] == "archive_broken"
    assert refused(api, packed([members[-1], *members[:-1]]))["code"] == "archive_broken"


def test_another_format_version(api: Any, archive: bytes) -> None:
    error = refused(api, forged(archive, version=2))
    assert error["code"] == "archive_not_understood"
    assert "format version 2" in error["detail"]


def test_another_kind_of_file(api: Any) -> None:
    assert refused(api, zstandard.compress(b"hello"))["code"] == "archive_broken"
    assert refused(api, packed([("manifest.json", b"{}"), ("workspace.json", b"{}")]))["code"] == "archive_broken"
    other = packed([("workspace.json", b"{}"), ("manifest.json", b"{}")])
    assert refused(api, other)["code"] == "archive_not_understood"


def test_a_newer_release(api: Any, archive: bytes) -> None:
    from apps.common.schema_ddl import fingerprint_of

    manifest = json.loads(members_of(archive)[-1][1])
    migrations = [*manifest["migrations"], ["audit", "0999_of_tomorrow"]]
    newer = forged(archive, migrations=migrations, fingerprint=fingerprint_of((app, name) for app, name in migrations))
    error = refused(api, newer)
    assert error["code"] == "archive_not_understood"
    assert "0999_of_tomorrow" in error["detail"]


def test_an_unknown_table(api: Any, archive: bytes) -> None:
    members = members_of(archive)
    assert refused(api, packed([("tables/pg_authid/000001.copy", b"x\n"), *members]))["code"] == "archive_broken"
    tables = json.loads(members[-1][1])["tables"]
    known = forged(archive, tables=[{**tables[0], "name": "pg_authid"}, *tables[1:]])
    assert refused(api, known)["code"] in {"archive_broken", "archive_not_understood"}


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "tables/x/1.copy", "tables/../x/000001.copy", "a.txt"]
)
def test_names_that_no_archive_has(api: Any, archive: bytes, name: str) -> None:
    assert refused(api, packed([(name, b"x\n"), *members_of(archive)]))["code"] == "archive_broken"


def field(column: int, value: bytes) -> Callable[[bytes], bytes]:
    """Changes a column of the first row."""

    def change(rows: bytes) -> bytes:
        first, _, rest = rows.partition(b"\n")
        fields = first.split(b"\t")
        fields[column] = value
        return b"\t".join(fields) + b"\n" + rest

    return change


def column_of(archive: bytes, table: str, column: str) -> int:
    manifest = json.loads(members_of(archive)[-1][1])
    (found,) = [record for record in manifest["tables"] if record["name"] == table]
    index: int = found["columns"].index(column)
    return index


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("applications_app", "slug", b"../admin", "slug"),
        ("applications_app", "draft", b"[" * 5000, "draft"),
        ("applications_appversion", "digest", b"0" * 64, "digest"),
        ("applications_appversion", "created_by", b"{}", "nobody"),
        ("applications_release", "actor", b"{}", "nobody"),
        ("applications_release", "actor", b'{"id": [1], "kind": "user"}', "nobody"),
        ("applications_release", "actor", b'{"kind": "user", "name": 1}', "no name"),
        ("applications_release", "actor", b'{"id": null, "kind": "system"}', "no name"),
        ("applications_accesspolicy", "password_hash", b"pbkdf2_sha256$999999999$x$y", "password_hash"),
        ("applications_accesspolicy", "link_token", b"mine", "link_token"),
        ("applications_accesspolicy", "app_limit", b"2000000000", "Choose"),
        ("applications_accesspolicy", "frame_ancestors", b'{"https://x; script-src *"}', "origin"),
        ("applications_accesspolicy", "audience", b"everyone", "audience"),
    ],
)
def test_rows_that_no_service_would_write(
    api: Any, archive: bytes, table: str, column: str, value: bytes, says: str
) -> None:
    error = refused(api, forged(archive, table=table, rows=field(column_of(archive, table, column), value)))
    assert error["code"] == "archive_refused"
    assert says in error["detail"]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("applications_app", "created_at", b"infinity"),
        ("applications_app", "updated_at", b"0044-03-15 12:00:00+00 BC"),
        ("applications_app", "status", b"weird"),
        ("applications_app", "origin", b""),
        ("applications_release", "at", b"-infinity"),
        ("applications_release", "kind", b"weird"),
        ("audit_auditevent", "at", b"10000-01-01 00:00:00+00"),
        ("audit_auditevent", "changes", b"[]"),
    ],
)
def test_values_that_the_tables_take_and_nobody_can_read(
    api: Any, archive: bytes, table: str, column: str, value: bytes
) -> None:
    """Each of them would be a fault of the server, again and again, wherever the row is shown."""
    error = refused(api, forged(archive, table=table, rows=field(column_of(archive, table, column), value)))
    assert error["code"] == "archive_refused"
    assert column in error["detail"]


def test_a_trail_tells_of_nothing_that_is_still_to_come(api: Any, archive: bytes) -> None:
    """It would look like what was done here, after the import."""
    at = column_of(archive, "audit_auditevent", "at")
    tomorrow = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%d 12:00:00+00").encode()
    error = refused(api, forged(archive, table="audit_auditevent", rows=field(at, tomorrow)))
    assert error["code"] == "archive_refused"
    assert "still to come" in error["detail"]


def test_use_of_another_installation(api: Any, archive: bytes) -> None:
    """Whoever brings a ledger, or limits of their own, is refused."""
    columns = next(
        table["columns"]
        for table in json.loads(members_of(archive)[-1][1])["tables"]
        if table["name"] == "billing_quotaoverride"
    )
    rows = b"\t".join(b"1" for _ in columns) + b"\n"
    members = members_of(archive)
    place = next(index for index, (name, _) in enumerate(members) if name.startswith("tables/"))
    with_rows = packed([*members[:place], ("tables/billing_quotaoverride/000001.copy", b""), *members[place:]])
    error = refused(
        api,
        forged(with_rows, table="billing_quotaoverride", rows=lambda _: rows),
    )
    assert error["code"] == "archive_refused"
    assert "No archive holds rows" in error["detail"]


def test_a_version_whose_definition_is_not_valid(api: Any, archive: bytes) -> None:
    from apps.common.canonical_json import digest

    definition = {
        "schema_version": 1,
        "page": {"title": "x", "blocks": [{"kind": "markdown", "text": "x"}]},
        "actions": {
            "crash": {
                "mode": "sync",
                "input": {"type": "object"},
                "workflow": {
                    "steps": [{"id": "a", "kind": "transform", "set": {"x": {"expr": "+".join(["1"] * 14000)}}}],
                    "outputs": {},
                },
            }
        },
    }
    place = column_of(archive, "applications_appversion", "definition")
    mark = column_of(archive, "applications_appversion", "digest")

    def change(rows: bytes) -> bytes:
        rows = field(place, json.dumps(definition).encode())(rows)
        return field(mark, digest(definition).encode())(rows)

    error = refused(api, forged(archive, table="applications_appversion", rows=change))
    assert error["code"] == "archive_refused"
    assert "not valid" in error["detail"]


def test_rows_that_the_tables_refuse(api: Any, archive: bytes) -> None:
    table = "applications_release"
    nowhere = field(column_of(archive, table, "app_id"), b"00000000-0000-7000-8000-000000000000")
    assert refused(api, forged(archive, table=table, rows=nowhere))["code"] == "archive_broken"
    twice = forged(archive, table=table, rows=lambda rows: rows + rows)
    assert refused(api, twice)["code"] == "archive_broken"
    text = forged(archive, table=table, rows=field(column_of(archive, table, "sequence"), b"many"))
    assert refused(api, text)["code"] == "archive_broken"


def test_rows_that_end_the_copy_early(api: Any, archive: bytes) -> None:
    hidden = forged(archive, table="audit_auditevent", rows=lambda rows: rows + b"\\.\n")
    assert refused(api, hidden)["code"] == "archive_broken"


def test_rows_in_another_order(api: Any, archive: bytes) -> None:
    def backwards(rows: bytes) -> bytes:
        return b"".join(line + b"\n" for line in reversed(rows.splitlines()))

    assert refused(api, forged(archive, table="audit_auditevent", rows=backwards))["code"] == "archive_broken"


def test_more_rows_than_are_accepted(api: Any, archive: bytes, settings: Any) -> None:
    settings.ARCHIVE_MAX_ROWS = 3
    assert refused(api, archive)["code"] == "archive_too_large"


def test_a_bomb_is_left_before_it_unpacks(api: Any, archive: bytes, settings: Any) -> None:
    settings.ARCHIVE_UNPACKED_MAX_BYTES = 1 << 20
    bomb = packed([("tables/audit_auditevent/000001.copy", bytes(64 << 20) + b"\n"), *members_of(archive)])
    assert len(bomb) < 200_000
    assert refused(api, bomb)["code"] == "archive_too_large"


def test_a_bomb_in_a_header_is_not_read() -> None:
    """A long name of 4 GiB, which tar readers keep in memory."""
    import tarfile

    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    packed_header = zstandard.compress(header.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(ArchiveBroken):
        list(read_members(io.BytesIO(packed_header), unpacked_max=1 << 40))
    huge = tarfile.TarInfo("manifest.json")
    huge.size = 4 << 30
    with pytest.raises(ArchiveTooLarge):
        list(read_members(io.BytesIO(zstandard.compress(huge.tobuf(tarfile.USTAR_FORMAT))), unpacked_max=1 << 40))


def test_settings_that_no_workspace_has(api: Any, archive: bytes) -> None:
    import hashlib

    def with_settings(change: dict[str, Any]) -> bytes:
        members = dict(members_of(archive))
        told = json.loads(members["workspace.json"])
        told["workspace"] |= change
        content = json.dumps(told).encode()
        members["workspace.json"] = content
        manifest = json.loads(members["manifest.json"])
        manifest["documents"]["workspace.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        members["manifest.json"] = json.dumps(manifest).encode()
        return packed(members.items())

    for change in ({"config": {"evil": True}}, {"time_zone": "../../etc"}, {"locale": "x" * 99}, {"name": "a\x00b"}):
        assert refused(api, with_settings(change))["code"] in {"archive_refused", "archive_broken"}
