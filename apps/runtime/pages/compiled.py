"""A published page, made ready to be shown many times: programs compiled, forms built, colours computed.

Compiling touches no database and no clock; a compiled page never changes, so it may be kept for as long as its release
lives. One page is one version as a whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from apps.applications.definitions.page_walk import form_actions, iter_blocks, iter_expressions
from apps.common.expressions import Program, compile_expression
from apps.common.schemas import InputSchema
from apps.runtime.pages.fields import Field, build_fields
from apps.runtime.pages.projection import Use, project, uses_of
from apps.runtime.pages.submissions import Submission
from apps.runtime.pages.theme import DEFAULT_ACCENT, Theme, build_theme


@dataclass(frozen=True, slots=True)
class CompiledForm:
    """The form of one action."""

    action: str
    schema: InputSchema
    mode: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class CompiledPage:
    """A page and all that is needed to show it."""

    definition: Mapping[str, Any]
    page: Mapping[str, Any]
    theme: Theme
    forms: Mapping[str, CompiledForm]
    programs: Mapping[str, Program]
    uses: Mapping[str, Use]
    image_origins: tuple[str, ...]

    @cached_property
    def reads_the_clock(self) -> bool:
        """Whether what it shows changes by itself, with time."""
        return any("now" in program.functions for program in self.programs.values())

    @property
    def title(self) -> str:
        """The page's title."""
        return str(self.page["title"])

    @property
    def language(self) -> str:
        """The language of the page's words (BCP 47)."""
        return str(self.page.get("language", "en"))

    def shows_result_of(self, action: str) -> bool:
        """Whether some block shows this action's result; otherwise the page lists it below the form."""
        return action in self.uses or "*" in self.uses

    def visible_outputs(self, action: str, outputs: Any) -> Any:
        """The part of an action's outputs that visitors may receive."""
        if not self.shows_result_of(action):
            return outputs
        use = self.uses.get(action) or self.uses["*"]
        return project(outputs, use)


@dataclass(frozen=True, slots=True)
class Progress:
    """A run that isn't over yet, as its visitor sees it."""

    run: str
    url: str
    percent: int
    message: str


@dataclass(frozen=True, slots=True)
class PageState:
    """What a page shows besides itself: results, what stands in the forms, what is on its way."""

    now: dt.datetime
    url: str = ""
    csrf: str = ""
    nonce: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    submissions: Mapping[str, Submission] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    latest: str | None = None
    """The action that was just run: its result takes the focus."""


def compile_page(definition: Mapping[str, Any]) -> CompiledPage:
    """Compile the page of a valid definition. Raises what ``compile_expression`` raises for a bad expression."""
    page = definition["page"]
    actions = definition.get("actions", {})
    theme = page.get("theme", {})
    return CompiledPage(
        definition=definition,
        page=page,
        theme=build_theme(theme.get("accent", DEFAULT_ACCENT), theme.get("mode", "auto"), theme.get("width", "narrow")),
        forms={
            name: CompiledForm(
                action=name,
                schema=InputSchema(actions[name].get("input", {"type": "object"})),
                mode=actions[name].get("mode", "sync"),
                fields=build_fields(actions[name].get("input", {})),
            )
            for name in form_actions(page)
            if name in actions
        },
        programs={source: compile_expression(source) for source in {e.source for e in iter_expressions(page)}},
        uses=uses_of(page),
        image_origins=_image_origins(page),
    )


def _image_origins(page: Mapping[str, Any]) -> tuple[str, ...]:
    parts = (urlsplit(p.block["url"]) for p in iter_blocks(page) if p.block["kind"] == "image")
    return tuple(sorted({f"{part.scheme}://{part.netloc}" for part in parts}))
