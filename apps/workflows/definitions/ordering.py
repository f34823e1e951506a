"""The order of steps: each after those it waits for, else as they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def in_order(waits_for: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, each after all that it waits for, otherwise in the mapping's order. Raises ValueError for a cycle."""
    missing = {name: set(others) for name, others in waits_for.items()}
    ordered: list[str] = []
    while missing:
        ready = next((name for name, others in missing.items() if not others), None)
        if ready is None:
            raise ValueError("a cycle")
        ordered.append(ready)
        del missing[ready]
        for others in missing.values():
            others.discard(ready)
    return ordered


def find_cycle(waits_for: Mapping[str, Iterable[str]]) -> list[str]:
    """The names along one cycle, the first again at the end; empty when there is none."""
    done: set[str] = set()
    for start in waits_for:
        trail: list[str] = []
        waiting = [(start, iter(waits_for[start]))]
        trail.append(start)
        while waiting:
            name, others = waiting[-1]
            following = next((other for other in others if other not in done), None)
            if following is None:
                done.add(name)
                waiting.pop()
                trail.pop()
            elif following in trail:
                return [*trail[trail.index(following) :], following]
            else:
                trail.append(following)
                waiting.append((following, iter(waits_for[following])))
    return []
