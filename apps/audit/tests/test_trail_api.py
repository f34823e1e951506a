"""Reading and exporting a workspace's trail by the API."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.services import Target, record_act_in
from apps.common.actors import Actor, ActorKind
from apps.common.ids import new_id
from apps.common.tenancy import current_schema, enter
from apps.workspaces.tests.factories import add_member

pytestmark = pytest.mark.django_db

OPERATOR = Actor(kind=ActorKind.OPERATOR, id=new_id(), name="Olga")


@pytest.fixture
def trail(workspace: Any) -> str:
    return f"/api/v1/workspaces/{workspace.slug}/audit"


def act(workspace: Any, action: str = "test.act", **fields: Any) -> AuditEvent:
    given: dict[str, Any] = {
        "actor": Actor(kind=ActorKind.USER, id=new_id(), name="Ann", request_id="r-9", address="203.0.113.7"),
        "target": Target(kind="thing", id="t-1", name="A thing"),
        "changes": {"color": ["red", "blue"]},
        "now": timezone.now(),
        **fields,
    }
    return record_act_in(workspace, action=action, **given)


def only_tests(items: list[Any]) -> list[str]:
    return [item["action"] for item in items if item["action"].startswith("test.")]


class TestList:
    def test_shows_acts_in_the_shape_of_the_contract(self, api: Any, workspace: Any, trail: str) -> None:
        person = Actor(kind=ActorKind.USER, id=new_id(), name="Ann", impersonator=OPERATOR, request_id="r-9")
        row = act(workspace, actor=person)
        [item] = [item for item in api.get(trail).json()["items"] if item["id"] == str(row.pk)]
        assert item["actor"] == {
            "kind": "user",
            "id": str(person.id),
            "name": "Ann",
            "impersonator": {"id": str(OPERATOR.id), "name": "Olga"},
        }
        assert item["target"] == {"kind": "thing", "id": "t-1", "name": "A thing"}
        assert item["changes"] == {"color": ["red", "blue"]}
        assert (item["action"], item["request_id"], item["address"]) == ("test.act", "r-9", "")

    def test_is_narrowed_by_actor_action_target_time_and_text(self, api: Any, workspace: Any, trail: str) -> None:
        now = timezone.now()
        early = act(workspace, "test.early", now=now - timedelta(hours=2))
        late = act(workspace, "test.late", now=now, target=Target(kind="thing", id="t-2", name="发布"))
        cut = quote((now - timedelta(hours=1)).isoformat())
        for query, expected in (
            (f"actor={early.actor_id}", ["test.early"]),
            ("action=test.late", ["test.late"]),
            ("target=t-2&target_kind=thing", ["test.late"]),
            (f"from={cut}", ["test.late"]),
            (f"to={cut}", ["test.early"]),
            (f"q={quote('发布')}", ["test.late"]),
            ("order=at&target_kind=thing", ["test.early", "test.late"]),
        ):
            assert only_tests(api.get(f"{trail}?{query}").json()["items"]) == expected, query
        assert late.pk

    @pytest.mark.parametrize(
        "query", ["actor=x", "from=yesterday", "limit=0", "cursor=x", "order=action", "colour=red"]
    )
    def test_bad_input(self, api: Any, trail: str, query: str) -> None:
        answer = api.get(f"{trail}?{query}")
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")

    @pytest.mark.parametrize("role", ["developer", "viewer"])
    def test_who_may_not_see_it_is_told_why_and_written_down(
        self, api: Any, make_client: Any, make_user: Any, workspace: Any, trail: str, role: str
    ) -> None:
        person = make_user()
        add_member(workspace, person, role)
        refused = make_client(person).get(trail)
        assert refused.status_code == 403
        [item] = api.get(f"{trail}?action=access.refused").json()["items"]
        assert item["actor"]["id"] == str(person.pk)
        assert item["target"]["id"] == refused.json()["decision_id"]
        assert item["changes"]["permission"] == "audit.view"


class TestExport:
    def test_csv_holds_every_act_once_newest_first(
        self, api: Any, workspace: Any, trail: str, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("apps.common.exports._CHUNK", 3)
        moment = timezone.now()
        rows = [
            act(workspace, f"test.{number:02}", now=moment + timedelta(seconds=number // 4)) for number in range(10)
        ]
        answer = api.get(f"{trail}/export?as=csv&target_kind=thing")
        assert answer["Content-Type"].startswith("text/csv")
        assert workspace.slug in answer["Content-Disposition"]
        assert current_schema() == "public"
        read = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
        assert current_schema() == "public"
        expected = sorted(rows, key=lambda row: (row.at, row.pk), reverse=True)
        assert [line["id"] for line in read] == [str(row.pk) for row in expected]
        assert json.loads(read[0]["changes"]) == {"color": ["red", "blue"]}

    def test_cells_are_no_formulas(self, api: Any, workspace: Any, trail: str) -> None:
        for start in "=+-@\t\r":
            act(workspace, target=Target(kind="thing", id="1", name=f"{start}cmd|' /C calc'!A0"))
        answer = api.get(f"{trail}/export?target_kind=thing")
        names = [line["target_name"] for line in csv.DictReader(io.StringIO(answer.getvalue().decode(), newline=""))]
        assert len(names) == 6
        assert all(name.startswith("'") for name in names)

    def test_ndjson_lines_are_what_the_list_shows(self, api: Any, workspace: Any, trail: str) -> None:
        act(workspace)
        act(workspace, actor=Actor(kind=ActorKind.USER, id=new_id(), name="安", impersonator=OPERATOR))
        answer = api.get(f"{trail}/export?as=ndjson&target_kind=thing")
        assert answer["Content-Type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in answer.getvalue().decode().splitlines()]
        assert lines == api.get(f"{trail}?target_kind=thing").json()["items"]

    def test_that_it_was_exported_is_an_act(self, api: Any, user: Any, trail: str) -> None:
        api.get(f"{trail}/export?as=ndjson")
        [item] = api.get(f"{trail}?action=audit.export").json()["items"]
        assert item["actor"]["id"] == str(user.pk)
        assert item["changes"] == {"format": "ndjson"}

    @pytest.mark.parametrize("query", ["as=xml", "from=x", "actor=1"])
    def test_bad_input(self, api: Any, trail: str, query: str) -> None:
        assert api.get(f"{trail}/export?{query}").status_code == 400

    def test_operators_of_a_workspace_read_but_do_not_export(
        self, make_client: Any, make_user: Any, workspace: Any, trail: str
    ) -> None:
        person = make_user()
        add_member(workspace, person, "operator")
        assert make_client(person).get(trail).status_code == 200
        assert make_client(person).get(f"{trail}/export").status_code == 403

    def test_the_stream_reads_its_own_workspace_whatever_is_entered_meanwhile(
        self, api: Any, workspace: Any, make_workspace: Any, user: Any, trail: str, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("apps.common.exports._CHUNK", 1)
        other = make_workspace(owner=user)
        for number in range(3):
            act(workspace, f"test.mine{number}")
            act(other, f"test.theirs{number}")
        answer = api.get(f"{trail}/export?as=ndjson&target_kind=thing")
        seen = []
        for line in answer.streaming_content:
            with enter(other):
                assert AuditEvent.objects.filter(action="test.theirs0").exists()
            seen.append(json.loads(line)["action"])
        assert seen == ["test.mine2", "test.mine1", "test.mine0"]
