"""Blocks: each kind has its grammar, renderer, template and page of documentation; each shows what it should."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.template.loader import get_template
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.applications.definitions.blocks import BLOCK_KINDS, block_definitions, page_schema
from apps.common.schemas import compile_schema
from apps.runtime.pages.charts import build_chart, nice_ticks
from apps.runtime.pages.compiled import PageState, compile_page
from apps.runtime.pages.formats import format_value
from apps.runtime.pages.markdown import render_markdown
from apps.runtime.pages.rendering import PageRenderer, rendered_kinds
from apps.runtime.pages.theme import AA_TEXT, DARK_SURFACE, LIGHT_SURFACE, build_theme, contrast
from config.env import ROOT

NOW = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
SCHEMA = compile_schema({"$defs": block_definitions(), **page_schema()})


def render(*blocks: Any, results: dict[str, Any] | None = None, inputs: dict[str, Any] | None = None) -> str:
    page = {"title": "Test", "blocks": list(blocks)}
    assert SCHEMA.errors(page) == ()
    state = PageState(now=NOW, results=results or {}, inputs=inputs or {})
    return str(PageRenderer(compile_page({"page": page, "actions": {}}), state).render())


@pytest.mark.parametrize("name", list(BLOCK_KINDS))
def test_each_kind_is_whole(name: str) -> None:
    kind = BLOCK_KINDS[name]
    assert name in rendered_kinds()
    assert get_template(f"runtime/blocks/{'metrics' if name == 'metric' else name}.html")
    assert SCHEMA.errors({"title": "x", "blocks": [dict(kind.example)]}) == ()
    assert f"### `{name}`" in (ROOT / "docs/blocks.md").read_text()
    assert SCHEMA.errors({"title": "x", "blocks": [{**kind.example, "nonsense": 1}]})


def test_no_renderer_is_without_a_grammar() -> None:
    assert rendered_kinds() == set(BLOCK_KINDS)


@pytest.mark.parametrize(
    ("block", "pointer"),
    [
        ({"kind": "zap"}, "/blocks/0/kind"),
        ({"kind": "metric", "label": "a", "value": [1]}, "/blocks/0/value"),
        ({"kind": "table", "rows": [], "columns": [{"field": "a-b"}]}, "/blocks/0/columns/0/field"),
        ({"kind": "link", "label": "a", "url": "javascript:alert(1)"}, "/blocks/0/url"),
        ({"kind": "image", "alt": "", "url": "https://x.example/a;script-src *"}, "/blocks/0/url"),
        ({"kind": "metric", "label": "a", "value": 1, "format": "0.0.0"}, "/blocks/0/format"),
        (
            {"kind": "section", "blocks": [{"kind": "section", "blocks": [{"kind": "divider"}]}]},
            "/blocks/0/blocks/0/kind",
        ),
    ],
)
def test_errors_point_into_their_block(block: dict[str, Any], pointer: str) -> None:
    assert pointer in {error.pointer for error in SCHEMA.errors({"title": "x", "blocks": [block]})}


def test_a_block_waits_for_its_result() -> None:
    metric = {"kind": "metric", "label": "Sum", "value": {"expr": "result.add.sum"}, "format": "0.0"}
    assert render(metric) == ""
    assert "3.0" in render(metric, results={"add": {"sum": 3}})
    broken = {"kind": "metric", "label": "Sum", "value": {"expr": "result.add.sum / 0"}}
    assert "could not be computed" in render(broken, results={"add": {"sum": 3}})
    assert render({"kind": "section", "title": "Result", "blocks": [metric]}) == "", "no empty frames"


def test_when_shows_and_hides() -> None:
    callout = {"kind": "callout", "text": "Too much", "when": {"expr": "result.add.sum > 10.0"}}
    assert render(callout, results={"add": {"sum": 3.0}}) == ""
    assert "Too much" in render(callout, results={"add": {"sum": 11.0}})
    assert render(callout) == ""


def test_a_table_aligns_numbers_caps_rows_and_says_when_it_is_empty() -> None:
    table = {
        "kind": "table",
        "rows": [{"name": "a", "n": 1.5}, {"name": "b", "n": 2}, {"name": "c", "n": None}],
        "columns": [{"field": "name"}, {"field": "n", "label": "N", "format": "0.00"}],
        "max_rows": 2,
        "empty": "Nothing found.",
    }
    html = render(table)
    assert '<td data-label="N" data-align="end">1.50</td>' in html
    assert "1 more are not shown" in html
    assert "Nothing found." in render(table | {"rows": []})


def test_words_from_results_are_escaped_everywhere() -> None:
    word = "<img src=x onerror=alert(1)>"
    rows = [{"x": word, "y": 1}]
    value = {"expr": "result.a.word"}
    html = render(
        {"kind": "text", "text": value},
        {"kind": "callout", "title": value, "text": value},
        {"kind": "metric", "label": "l", "value": value},
        {"kind": "code", "text": value},
        {"kind": "list", "items": {"expr": "[result.a.word]"}},
        {"kind": "record", "fields": [{"label": "l", "value": value}]},
        {"kind": "table", "rows": {"expr": "result.a.rows"}, "columns": [{"field": "x"}]},
        {"kind": "chart", "type": "bar", "rows": {"expr": "result.a.rows"}, "x": "x", "y": ["y"]},
        results={"a": {"word": word, "rows": rows}},
    )
    assert "<img" not in html
    assert html.count("&lt;img") >= 9


def test_fault_25_markdown_runs_nothing() -> None:
    html = render_markdown(
        "# A\n<script>alert(1)</script> <img src=x onerror=alert(1)>\n\n[a](javascript:alert(1)) [b](https://x.example)"
    )
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert '<a href="https://x.example" rel="noopener nofollow">b</a>' in html
    assert "<h2>A</h2>" in html


def test_a_chart_has_words_for_those_who_do_not_see_it() -> None:
    html = render(
        {
            "kind": "chart",
            "type": "line",
            "rows": [{"m": 1, "v": 10}, {"m": 2, "v": None}, {"m": 3, "v": 30}],
            "x": "m",
            "y": ["v"],
            "labels": {"v": "Value"},
        }
    )
    assert 'role="img"' in html
    assert "Value: 2 values, lowest 10 at 1, highest 30 at 3." in html
    assert html.count("<td") == 3, "the same numbers as a table"
    assert "style=" not in html


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=5)), max_size=30),
    st.sampled_from(["line", "area", "bar"]),
)
def test_a_chart_of_anything_is_drawn_inside_its_frame(values: list[Any], kind: str) -> None:
    rows = [{"x": index, "y": value} for index, value in enumerate(values)]
    chart = build_chart({"type": kind, "x": "x", "y": ["y"]}, rows)
    if chart is None:
        return
    places = [float(number) for series in chart.series for number in re.findall(r"[-\d.]+", series.line + series.area)]
    places += [float(mark.y.rstrip("%")) for series in chart.series for mark in series.marks]
    assert all(-0.01 <= place <= 100.01 for place in places)


@settings(deadline=None)
@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_ticks_enclose_their_range(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    slack = (ticks[1] - ticks[0]) * 0.01
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack


@settings(deadline=None)
@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_any_accent_can_be_read(accent: str) -> None:
    theme = build_theme(accent)
    for colours, paper in ((theme.light, LIGHT_SURFACE), (theme.dark, DARK_SURFACE)):
        assert contrast(colours.fill, colours.on_fill) >= AA_TEXT
        assert contrast(colours.ink, paper) >= AA_TEXT


@pytest.mark.parametrize(
    ("value", "pattern", "words"),
    [
        (1234.5, "0,0.00", "1,234.50"),
        (2.675, "0.00", "2.68"),
        (-0.001, "0.00", "0.00"),
        (0.256, "0.0%", "25.6%"),
        (None, "0.00", "–"),
        ("n/a", "0.00", "n/a"),
        (True, None, "Yes"),
        (0.1 + 0.2, None, "0.3"),
        (float("nan"), "0.00", "–"),
        ("2026-05-03", "D MMM YYYY", "3 May 2026"),
        ("2026-05-03T10:05:00Z", "datetime", "3 May 2026, 10:05"),
        (date(2026, 1, 2), None, "2 Jan 2026"),
        ([1, 2.5], None, "1, 2.5"),
    ],
)
def test_values_in_words(value: Any, pattern: str | None, words: str) -> None:
    assert format_value(value, pattern) == words
