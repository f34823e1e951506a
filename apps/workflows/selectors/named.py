"""Workflows by the slugs that apps call them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.workflows.models import Workflow


@dataclass(frozen=True, slots=True)
class NamedWorkflow:
    """A workflow as it is at this moment."""

    slug: str
    revision: int
    definition: dict[str, Any]


def workflows_named(slugs: Iterable[str]) -> dict[str, NamedWorkflow]:
    """The workflows of the entered workspace with these slugs, in one query; those that don't exist are left out."""
    rows = Workflow.objects.filter(slug__in=list(slugs)).only("slug", "revision", "definition")
    return {row.slug: NamedWorkflow(row.slug, row.revision, row.definition) for row in rows}
