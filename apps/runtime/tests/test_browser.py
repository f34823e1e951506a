"""The page in Chromium: with and without JavaScript, on a phone, in the dark, by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from apps.runtime.tests.servers import Web

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture
def browser(web: Web) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def url(web: Web, published: Any) -> str:
    return f"http://127.0.0.1:{web.port}/runtime/{published[0].slug}/adder"


CHECKS: list[Callable[[Browser, str], None]] = []


def check(function: Callable[[Browser, str], None]) -> Callable[[Browser, str], None]:
    """One of the checks that share a server: starting one takes longer than all of them."""
    CHECKS.append(function)
    return function


def test_the_page_in_chromium(browser: Browser, url: str, subtests: Any) -> None:
    for each in CHECKS:
        with subtests.test(each.__name__):
            each(browser, url)


def open_page(browser: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    """A page and what its console complains of."""
    page = browser.new_context(**options).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(5_000)
    page.goto(url)
    return page, complaints


@check
def htmx_puts_the_result_in_without_a_reload(browser: Browser, url: str) -> None:
    page, complaints = open_page(browser, url)
    page.evaluate("window.untouched = true")
    page.fill("#f-add-a", "1.5")
    page.fill("#f-add-b", "2")
    page.click("button[type=submit]")
    page.wait_for_selector("text=3.50")
    assert page.evaluate("window.untouched")
    assert "?run=" in page.url
    assert page.evaluate("document.activeElement.hasAttribute('data-focus')"), "the focus goes to the result"
    assert page.inner_text("#spoken") == "The result is ready."
    assert page.input_value("#f-add-a") == "1.5"
    page.reload()
    assert page.is_visible("text=3.50")
    assert complaints == [], "nothing breaks the Content-Security-Policy"


@check
def without_javascript_everything_works(browser: Browser, url: str) -> None:
    page, _ = open_page(browser, url, java_script_enabled=False)
    page.fill("#f-add-a", "1.5")
    page.fill("#f-add-b", "2")
    page.click("button[type=submit]")
    assert page.is_visible("text=3.50")
    assert "?run=" in page.url
    page.go_back()
    assert page.is_visible("#f-add-a")


@check
def errors_take_the_focus_and_lead_to_their_fields(browser: Browser, url: str) -> None:
    page, complaints = open_page(browser, url)
    page.eval_on_selector("form", "form => form.noValidate = true")
    page.eval_on_selector("#f-add-a", "input => input.type = 'text'")
    page.fill("#f-add-a", "1.000,5")
    page.click("button[type=submit]")
    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.classList.contains('error-summary')")
    assert page.input_value("#f-add-a") == "1.000,5"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "f-add-a"
    assert [text for text in complaints if "422" not in text] == []


@check
def the_keyboard_reaches_everything_in_order(browser: Browser, url: str) -> None:
    page, _ = open_page(browser, url)
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert reached == ["skip-link", "f-add-a", "f-add-b", "button"]
    outline = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
    assert outline != "none", "the focus can be seen"


@check
def nothing_is_cut_off_at_any_width(browser: Browser, url: str) -> None:
    for width in (320, 390, 1280):
        page, _ = open_page(browser, url, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelector('.form .button').getBoundingClientRect().height") >= 44


@check
def light_and_dark_follow_the_visitor(browser: Browser, url: str) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page, _ = open_page(browser, url, color_scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


@check
def a_lost_connection_is_told_and_nothing_is_lost(browser: Browser, url: str) -> None:
    page, _ = open_page(browser, url)
    page.fill("#f-add-a", "1")
    page.fill("#f-add-b", "2")
    page.context.set_offline(True)
    page.click("button[type=submit]")
    page.wait_for_selector("text=The answer did not arrive")
    assert page.input_value("#f-add-b") == "2"
    page.context.set_offline(False)
    page.click("button[type=submit]")
    page.wait_for_selector("text=3.00")
