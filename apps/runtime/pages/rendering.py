"""From a compiled page and its state to HTML: one renderer for each kind of block.

A renderer is a function from a block to the values of its template (``templates/runtime/blocks/<kind>.html``), or None
when there is nothing to show yet. Blocks whose expressions name a result that isn't there are left out, so that a page
before its first run shows its text and its form and no empty frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from apps.common.errors import AppRunError
from apps.runtime.pages.charts import build_chart, words_of
from apps.runtime.pages.compiled import CompiledPage, PageState
from apps.runtime.pages.formats import NOTHING, format_value, is_number
from apps.runtime.pages.forms import bind_fields, list_problems
from apps.runtime.pages.markdown import render_markdown

log = structlog.get_logger(__name__)

Block = Mapping[str, Any]
MAX_ITEMS = 500

_FAILED = "could not be computed"


class _Waiting(Exception):
    """An expression needs a result that isn't there yet."""


class PageRenderer:
    """Renders the blocks of one page in one state. Made for one answer, then thrown away."""

    def __init__(self, compiled: CompiledPage, state: PageState) -> None:
        self.compiled = compiled
        self.state = state
        self._numbers = itertools.count(1)
        self._focused = False

    def render(self) -> SafeString:
        """All blocks of the page."""
        return self.blocks(self.compiled.page["blocks"])

    def blocks(self, blocks: Sequence[Block]) -> SafeString:
        """A list of blocks; metrics that follow each other stand side by side."""
        parts: list[str] = []
        for is_metric, group in itertools.groupby(blocks, key=lambda block: block["kind"] == "metric"):
            if is_metric:
                metrics = [shown for block in group if (shown := self._shown(block)) is not None]
                if metrics:
                    parts.append(self._template("metrics", {"metrics": metrics}, group=True))
                continue
            for block in group:
                values = self._shown(block)
                if values is not None:
                    parts.append(self._template(block["kind"], values, block=block))
        return mark_safe("".join(parts))  # noqa: S308 - made of rendered templates

    def value(self, given: Any) -> Any:
        """A fixed value as it is, an expression evaluated. Raises _Waiting when its result isn't there."""
        if not (isinstance(given, Mapping) and "expr" in given):
            return given
        program = self.compiled.programs[given["expr"]]
        try:
            return program.evaluate({"inputs": self.state.inputs, "result": self.state.results}, now=self.state.now)
        except AppRunError as problem:
            if not self.state.results or program.reads("result") - self.state.results.keys():
                raise _Waiting from None
            log.info("page_expression_failed", source=program.source, reason=problem.detail)
            raise

    def new_id(self, prefix: str) -> str:
        """An id that no other element of this page has."""
        return f"{prefix}-{next(self._numbers)}"

    def _shown(self, block: Block) -> dict[str, Any] | None:
        try:
            if "when" in block and self.value(block["when"]) is not True:
                return None
            return _RENDERERS[block["kind"]](self, block)
        except _Waiting:
            return None
        except AppRunError:
            if "when" in block:
                return None
            return _failed(block)

    def _template(self, name: str, values: dict[str, Any], *, block: Block | None = None, group: bool = False) -> str:
        template = values.pop("template", name)
        html = render_to_string(f"runtime/blocks/{template}.html", values).strip()
        if self._takes_focus(block, group):
            return f'<div tabindex="-1" data-focus data-spoken="The result is ready." class="result-start">{html}</div>'
        return html

    def _takes_focus(self, block: Block | None, group: bool) -> bool:
        """Whether this is the first thing that shows the result that was just made."""
        if self._focused or self.state.latest is None or self.state.latest not in self.state.results:
            return False
        if block is not None and block["kind"] in {"form", "section", "columns", "heading", "markdown", "divider"}:
            return False
        if not group and (block is None or not self._uses_latest(block)):
            return False
        self._focused = True
        return True

    def _uses_latest(self, value: Any) -> bool:
        if isinstance(value, Mapping):
            if isinstance(value.get("expr"), str):
                return self.state.latest in self.compiled.programs[value["expr"]].reads("result")
            return any(self._uses_latest(member) for member in value.values())
        if isinstance(value, list | tuple):
            return any(self._uses_latest(member) for member in value)
        return False


Renderer = Callable[[PageRenderer, Block], "dict[str, Any] | None"]
_RENDERERS: dict[str, Renderer] = {}


def renders(kind: str) -> Callable[[Renderer], Renderer]:
    """Register the renderer of a kind of block."""

    def register(renderer: Renderer) -> Renderer:
        if kind in _RENDERERS:
            raise ValueError(f"The block kind {kind!r} has two renderers.")
        _RENDERERS[kind] = renderer
        return renderer

    return register


def rendered_kinds() -> frozenset[str]:
    """The kinds of blocks that have a renderer."""
    return frozenset(_RENDERERS)


def _failed(block: Block) -> dict[str, Any]:
    if block["kind"] == "metric":
        return {"label": block["label"], "value": NOTHING, "help": f"This {_FAILED}."}
    return {"template": "callout", "tone": "warning", "title": "", "text": f"A part of this page {_FAILED}."}


# --- Words and pictures ---------------------------------------------------------------------------------------------


@renders("heading")
def _heading(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {"text": block["text"], "level": block.get("level", 2)}


@renders("markdown")
def _markdown(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {"html": render_markdown(block["text"])}


@renders("text")
def _text(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {"text": format_value(page.value(block["text"]))}


@renders("callout")
def _callout(page: PageRenderer, block: Block) -> dict[str, Any]:
    title = page.value(block.get("title"))
    return {
        "tone": block.get("tone", "info"),
        "title": "" if title is None else format_value(title),
        "text": format_value(page.value(block["text"])),
    }


@renders("divider")
def _divider(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {}


@renders("link")
def _link(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {"url": block["url"], "label": block["label"], "style": block.get("style", "link")}


@renders("image")
def _image(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {"url": block["url"], "alt": block["alt"], "caption": block.get("caption")}


@renders("code")
def _code(page: PageRenderer, block: Block) -> dict[str, Any]:
    return {"text": format_value(page.value(block["text"])), "label": block.get("label"), "id": page.new_id("code")}


# --- Numbers --------------------------------------------------------------------------------------------------------


@renders("metric")
def _metric(page: PageRenderer, block: Block) -> dict[str, Any]:
    shown = format_value(page.value(block["value"]), block.get("format"))
    return {"label": block["label"], "value": shown, "help": block.get("help")}


@renders("record")
def _record(page: PageRenderer, block: Block) -> dict[str, Any]:
    entries = [
        {"label": each["label"], "value": format_value(page.value(each["value"]), each.get("format"))}
        for each in block["fields"]
    ]
    return {"title": block.get("title"), "entries": entries}


@renders("list")
def _list(page: PageRenderer, block: Block) -> dict[str, Any]:
    items = _as_list(page.value(block["items"]))
    return {
        "items": [format_value(item, block.get("format")) for item in items[:MAX_ITEMS]],
        "ordered": block.get("ordered", False),
        "empty": block.get("empty", "None."),
        "left_out": max(0, len(items) - MAX_ITEMS),
    }


@renders("table")
def _table(page: PageRenderer, block: Block) -> dict[str, Any]:
    rows = [row for row in _as_list(page.value(block["rows"])) if isinstance(row, Mapping)]
    shown = rows[: block.get("max_rows", MAX_ITEMS)]
    columns = [
        {
            "field": column["field"],
            "label": column.get("label") or words_of(column["field"]),
            "format": column.get("format"),
            "align": column.get("align") or _alignment(shown, column["field"]),
        }
        for column in block["columns"]
    ]
    return {
        "columns": columns,
        "rows": [
            [
                {"text": format_value(row.get(c["field"]), c["format"]), "label": c["label"], "align": c["align"]}
                for c in columns
            ]
            for row in shown
        ],
        "left_out": len(rows) - len(shown),
        "caption": block.get("caption"),
        "empty": block.get("empty", "There are no rows."),
    }


@renders("chart")
def _chart(page: PageRenderer, block: Block) -> dict[str, Any] | None:
    rows = [row for row in _as_list(page.value(block["rows"])) if isinstance(row, Mapping)]
    chart = build_chart(block, rows)
    return None if chart is None else {"chart": chart, "id": page.new_id("chart")}


# --- Layout ---------------------------------------------------------------------------------------------------------


@renders("section")
def _section(page: PageRenderer, block: Block) -> dict[str, Any] | None:
    content = page.blocks(block["blocks"])
    return {"title": block.get("title"), "id": page.new_id("section"), "content": content} if content else None


@renders("columns")
def _columns(page: PageRenderer, block: Block) -> dict[str, Any] | None:
    columns = [content for column in block["columns"] if (content := page.blocks(column["blocks"]))]
    return {"columns": columns} if columns else None


# --- Forms ----------------------------------------------------------------------------------------------------------


@renders("form")
def _form(page: PageRenderer, block: Block) -> dict[str, Any] | None:
    action = block["action"]
    form = page.compiled.forms.get(action)
    if form is None:
        return None
    state = page.state
    submission = state.submissions.get(action)
    problems = list_problems(form, submission.errors) if submission else []
    counted = "One thing needs your attention" if len(problems) == 1 else f"{len(problems)} things need your attention"
    if action in state.problems:
        counted = state.problems[action]
    return {
        "template": "form_with_result",
        "action": action,
        "title": block.get("title"),
        "text": block.get("text"),
        "submit_label": block.get("submit_label", "Send"),
        "url": state.url,
        "csrf": state.csrf,
        "other_runs": [run for name, run in state.runs.items() if name != action],
        "fields": bind_fields(form, submission),
        "problems": problems,
        "has_problems": bool(problems) or action in state.problems,
        "problems_title": counted,
        "progress": state.progress.get(action),
        "is_latest": state.latest == action,
        "result": _plain_result(page, action),
    }


def _plain_result(page: PageRenderer, action: str) -> SafeString | None:
    """The outputs of an action that no block shows, as plainly as they are."""
    if page.compiled.shows_result_of(action) or action not in page.state.results:
        return None
    outputs = page.state.results[action]
    outputs = outputs if isinstance(outputs, Mapping) else {"result": outputs}
    parts = []
    plain = {name: value for name, value in outputs.items() if not _is_rows(value)}
    if plain:
        entries = [{"label": words_of(name), "value": format_value(value)} for name, value in plain.items()]
        parts.append(render_to_string("runtime/blocks/record.html", {"title": "Result", "entries": entries}))
    for name, rows in outputs.items():
        if _is_rows(rows):
            fields = list(dict.fromkeys(field for row in rows[:MAX_ITEMS] for field in row))[:50]
            table = {
                "kind": "table",
                "rows": rows,
                "caption": words_of(name),
                "columns": [{"field": f} for f in fields],
            }
            parts.append(render_to_string("runtime/blocks/table.html", _table(page, table)))
    return mark_safe("".join(parts))  # noqa: S308 - made of rendered templates


# --- Small questions ------------------------------------------------------------------------------------------------


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else []


def _alignment(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    return "end" if values and all(is_number(value) for value in values) else "start"
