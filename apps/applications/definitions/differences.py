"""What differs between two definitions: each change with its pointer, and a few sentences for people.

Lists are compared as people see them: a block that moved down because another was put before it did not change. Steps
are matched by their ids, other items by likeness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from apps.common.canonical_json import canonical_dumps
from apps.common.schemas import pointer_to

MAX_SENTENCES = 20

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: ``added`` (``after`` alone), ``removed`` (``before`` alone) or ``changed``.

    ``pointer`` leads into the newer definition, for what was removed into the older one (RFC 6901).
    """

    kind: str
    pointer: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes, and what they come to in words."""

    changes: tuple[Change, ...]
    summary: tuple[str, ...]


def compare_definitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """What leads from ``before`` to ``after``; no changes when they are the same."""
    changes = tuple(_compare(before, after, (), ()))
    return Difference(changes=changes, summary=tuple(_sentences(changes)))


def _compare(before: Any, after: Any, old: Path, new: Path) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _compare_members(before, after, old, new)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_items(before, after, old, new)
    elif canonical_dumps(before) != canonical_dumps(after):
        yield Change("changed", pointer_to(new), before, after)


def _compare_members(before: Mapping[str, Any], after: Mapping[str, Any], old: Path, new: Path) -> Iterator[Change]:
    for name in before:
        if name not in after:
            yield Change("removed", pointer_to((*old, name)), before=before[name])
    for name, value in after.items():
        if name not in before:
            yield Change("added", pointer_to((*new, name)), after=value)
        else:
            yield from _compare(before[name], value, (*old, name), (*new, name))


def _compare_items(before: Sequence[Any], after: Sequence[Any], old: Path, new: Path) -> Iterator[Change]:
    matcher = SequenceMatcher(None, [_identity(item) for item in before], [_identity(item) for item in after], False)
    for operation, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        pairs = zip_longest(range(old_from, old_to), range(new_from, new_to))
        for old_index, new_index in pairs:
            if new_index is None:
                yield Change("removed", pointer_to((*old, old_index)), before=before[old_index])
            elif old_index is None:
                yield Change("added", pointer_to((*new, new_index)), after=after[new_index])
            elif operation == "equal" or _alike(before[old_index], after[new_index]):
                yield from _compare(before[old_index], after[new_index], (*old, old_index), (*new, new_index))
            else:
                yield Change("removed", pointer_to((*old, old_index)), before=before[old_index])
                yield Change("added", pointer_to((*new, new_index)), after=after[new_index])


def _identity(item: Any) -> bytes:
    """By what an item of a list is recognised: a step by its id, anything else by all that it is."""
    if isinstance(item, Mapping) and isinstance(item.get("id"), str):
        return f"id:{item['id']}".encode()
    canonical: bytes = canonical_dumps(item)
    return canonical


def _alike(before: Any, after: Any) -> bool:
    """Whether an item in another's place is the same one, changed: objects of one kind, or two plain values."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        same: bool = before.get("kind") == after.get("kind") and before.get("id") == after.get("id")
        return same
    return not isinstance(before, Mapping | list) and not isinstance(after, Mapping | list)


def _sentences(changes: Sequence[Change]) -> Iterator[str]:
    told = list(dict.fromkeys(_sentence(change) for change in changes))
    yield from told[:MAX_SENTENCES]
    if len(told) > MAX_SENTENCES:
        yield f"and {len(told) - MAX_SENTENCES} more changes"


#: What a change at a pointer is told as; the first that fits. ``{kind}`` is added, removed or changed.
_TOLD = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"/page/title", "The page’s title: “{before}” became “{after}”"),
        (r"/page/theme(/.*)?", "The page’s look changed"),
        (r"/page/blocks/(?:.*/)?\d+", "Block {what} {kind}"),
        (r"/page/blocks/(?P<block>\d+)/(?:.*/)?(?P<name>[^/]+)", "Block {nth}: {name} {kind}"),
        (r"/page/(?P<name>[^/]+)(/.*)?", "The page’s {name} {kind}"),
        (r"/actions/(?P<action>[^/]+)", "Action {action} {kind}"),
        (r"/actions/(?P<action>[^/]+)/input/properties/(?P<name>[^/]+)", "Action {action}: input {name} {kind}"),
        (r"/actions/(?P<action>[^/]+)/input/properties/(?P<name>[^/]+)/.*", "Action {action}: input {name} changed"),
        (r"/actions/(?P<action>[^/]+)/input(/.*)?", "Action {action}: its inputs changed"),
        (r"/actions/(?P<action>[^/]+)/workflow/outputs/(?P<name>[^/]+)", "Action {action}: output {name} {kind}"),
        (r"/actions/(?P<action>[^/]+)/workflow/outputs/(?P<name>[^/]+)/.*", "Action {action}: output {name} changed"),
        (r"/actions/(?P<action>[^/]+)/workflow/steps/\d+", "Action {action}: step {what} {kind}"),
        (r"/actions/(?P<action>[^/]+)/.*", "Action {action}: its steps changed"),
        (r"/workflows/(?P<name>[^/]+)", "Workflow {name} {kind}"),
        (r"/workflows/(?P<name>[^/]+)/.*", "Workflow {name} changed"),
    )
)


def _sentence(change: Change) -> str:
    for pattern, sentence in _TOLD:
        match = pattern.fullmatch(change.pointer)
        if match is not None:
            parts = match.groupdict()
            nth = int(parts.get("block") or 0) + 1
            shown = {"kind": change.kind, "before": change.before, "after": change.after, "what": _what(change)}
            return sentence.format_map({**shown, **parts, "nth": nth})
    return f"{change.pointer.removeprefix('/').partition('/')[0] or 'The definition'} {change.kind}"


def _what(change: Change) -> str:
    """What was added or removed, in a word: a step's id, a block's kind."""
    item = change.after if change.kind == "added" else change.before
    return str(item.get("id") or item.get("kind") or "") if isinstance(item, Mapping) else ""
