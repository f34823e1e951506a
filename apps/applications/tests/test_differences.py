"""What differs between two versions, for programs and for people."""

from __future__ import annotations

import copy
from typing import Any

from apps.applications.definitions.differences import compare_definitions
from apps.applications.tests.factories import make_definition


def changes(before: Any, after: Any) -> list[tuple[str, str]]:
    return [(change.kind, change.pointer) for change in compare_definitions(before, after).changes]


def test_nothing_differs_from_itself_and_numbers_that_are_equal_are_equal() -> None:
    definition = make_definition()
    other = copy.deepcopy(definition)
    other["schema_version"] = 1.0
    assert changes(definition, other) == []
    assert compare_definitions(definition, other).summary == ()


def test_a_block_put_first_is_the_only_change() -> None:
    before, after = make_definition(), make_definition()
    after["page"]["blocks"].insert(0, {"kind": "divider"})
    assert changes(before, after) == [("added", "/page/blocks/0")]
    assert changes(after, before) == [("removed", "/page/blocks/0")]
    assert compare_definitions(before, after).summary == ("Block divider added",)


def test_a_changed_member_is_told_with_both_values() -> None:
    before, after = make_definition(), make_definition("Twice")
    (change,) = compare_definitions(before, after).changes
    assert (change.kind, change.pointer, change.before, change.after) == ("changed", "/page/title", "Doubler", "Twice")
    assert compare_definitions(before, after).summary == ("The page’s title: “Doubler” became “Twice”",)


def test_steps_are_matched_by_id_wherever_they_stand() -> None:
    before, after = make_definition(), make_definition()
    steps = after["actions"]["double"]["workflow"]["steps"]
    steps.insert(0, {"id": "first", "kind": "transform", "set": {}})
    steps[1]["set"]["twice"]["expr"] = "inputs.n + inputs.n"
    difference = compare_definitions(before, after)
    assert [(change.kind, change.pointer) for change in difference.changes] == [
        ("added", "/actions/double/workflow/steps/0"),
        ("changed", "/actions/double/workflow/steps/1/set/twice/expr"),
    ]
    assert difference.summary == ("Action double: step first added", "Action double: its steps changed")


def test_inputs_outputs_and_actions_are_named() -> None:
    before, after = make_definition(), make_definition()
    after["actions"]["double"]["input"]["properties"]["n"]["minimum"] = 1
    after["actions"]["double"]["workflow"]["outputs"]["half"] = 1
    after["actions"]["new"] = {"workflow": {"steps": []}}
    assert set(compare_definitions(before, after).summary) == {
        "Action double: input n changed",
        "Action double: output half added",
        "Action new added",
    }


def test_keys_with_slashes_are_escaped() -> None:
    assert changes({"a/b": {"c~d": 1}}, {"a/b": {"c~d": 2}}) == [("changed", "/a~1b/c~0d")]


def test_long_lists_of_changes_end_in_a_count() -> None:
    before, after = make_definition(), make_definition()
    after["actions"] |= {f"new_{number}": {} for number in range(30)}
    summary = compare_definitions(before, after).summary
    assert len(summary) == 21
    assert summary[-1] == "and 10 more changes"
