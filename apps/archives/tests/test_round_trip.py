"""Whatever stands in the rows: it comes out, goes in elsewhere, and comes out the same."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.archives.services.containers import ContainerWriter, read_members
from apps.archives.services.loading import load_archive
from apps.archives.services.reading import check_archive
from apps.archives.services.writing import write_archive
from apps.audit.models import AuditEvent
from apps.common.tenancy import enter
from apps.runtime.models import RuntimeEvent
from apps.workspaces.selectors.portraits import portrait_of

_TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30)
_JSON = st.dictionaries(
    _TEXT, st.recursive(st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), _TEXT), st.lists), max_size=3
)
_FLOAT = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.django_db
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(_TEXT, _JSON), max_size=4), times=st.lists(_FLOAT, max_size=4))
def test_what_is_loaded_is_written_the_same(workspace: Any, acts: Any, times: Any) -> None:
    now = timezone.now()
    with enter(workspace):
        for name, changes in acts:
            AuditEvent.objects.create(
                at=now, actor_kind="user", actor_name=name, action="x", target_kind="y", changes=changes
            )
        for milliseconds in times:
            RuntimeEvent.objects.create(app_id=uuid4(), kind="view", status=200, milliseconds=milliseconds, at=now)
    first = io.BytesIO()
    manifest, _ = write(first, workspace.schema_name, workspace)
    archive = check_archive(io.BytesIO(first.getvalue()))
    other = f"ws_{uuid4().hex}"
    load_archive(archive, other, read=lambda load: load(io.BytesIO(first.getvalue())))
    again, _ = write(io.BytesIO(), other, workspace)
    assert again.tables == manifest.tables
    assert again.fingerprint == manifest.fingerprint
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{other}" CASCADE')


def write(target: Any, schema_name: str, workspace: Any) -> Any:
    now = timezone.now()
    return write_archive(target, schema_name=schema_name, describe=lambda: portrait_of(workspace.pk), now=now)


@given(st.lists(st.binary(max_size=3000), max_size=6))
def test_members_come_out_as_they_went_in(contents: list[bytes]) -> None:
    target = io.BytesIO()
    container = ContainerWriter(target)
    members = [(f"tables/t/{number:06d}.copy", content) for number, content in enumerate(contents)]
    for name, content in members:
        container.add(name, content)
    container.close()
    assert list(read_members(io.BytesIO(target.getvalue()), unpacked_max=1 << 20)) == members
    assert container.size == len(target.getvalue())
