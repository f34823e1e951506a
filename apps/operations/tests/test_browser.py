"""The page of an operation in Chromium: it follows the work by itself, on a phone, in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, sync_playwright

from apps.accounts.tests.factories import UserFactory
from apps.common.actors import SYSTEM
from apps.operations.models import Operation
from apps.operations.services.engine import claim_operation
from apps.operations.services.outcomes import finish
from apps.operations.services.requests import request_operation
from apps.runtime.tests.servers import Web

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture
def web(committed_database: str, tmp_path: Path, django_db_blocker: Any) -> Iterator[Web]:
    made = Web(committed_database, tmp_path / "web.log")
    with django_db_blocker.unblock():
        yield made
    made.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_page(browser: Browser, web: Web, path: str, session: str, **options: Any) -> tuple[Page, list[str]]:
    """A page of the signed-in operator's, and what its console complains of."""
    context = browser.new_context(**options)
    origin = f"http://127.0.0.1:{web.port}"
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": origin}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(15_000)
    page.goto(origin + path)
    return page, complaints


def half_way() -> Operation:
    """Running, with its first step done."""
    asked = request_operation(kind="workspaces.export", target_id=uuid4(), actor=SYSTEM, now=timezone.now())
    operation = claim_operation(operation_id=asked.pk, owner="host:1", now=timezone.now())
    assert operation
    operation.steps[0] |= {"done_at": timezone.now().isoformat(), "result": {}}
    Operation.objects.filter(pk=operation.pk).update(
        steps=operation.steps, current_step=operation.steps[1]["name"], progress=50, message="Half of it is done."
    )
    return operation


def test_operation_in_chromium(web: Web, browser: Browser, subtests: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright's loop runs in this thread, and Django would refuse to ask the database beside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    operation = half_way()
    client = Client()
    client.force_login(UserFactory(is_staff=True))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    path = f"/admin/operations/operation/{operation.pk}/change/"

    with subtests.test("nothing is cut off, in light and dark, on a phone and a desk"):
        colours = set()
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                for place in (path, "/admin/operations/operation/", "/admin/"):
                    page, complaints = open_page(
                        browser, web, place, session, viewport={"width": width, "height": 844}, color_scheme=scheme
                    )
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, place)
                    assert complaints == [], "nothing breaks the Content-Security-Policy"
                    if place == path:
                        colours.add(
                            page.evaluate("getComputedStyle(document.querySelector('.operation__now')).backgroundColor")
                        )
                    page.context.close()
        assert len(colours) == 2

    with subtests.test("it follows the work to its end and then rests"):
        page, complaints = open_page(browser, web, path, session)
        page.evaluate("window.untouched = true")
        assert page.inner_text(".operation__message") == "Half of it is done."
        assert page.get_attribute("progress", "value") == "50"
        page.focus("#act-cancel")
        with page.expect_response("**/now/"):
            pass
        page.wait_for_timeout(200)
        assert page.evaluate("document.activeElement.id") == "act-cancel", "the keyboard stays where it was"
        finish(operation, result={"archive": "written"}, now=timezone.now())
        page.wait_for_selector("text=SUCCEEDED")
        assert page.is_visible("text=written")
        assert not page.is_visible("#act-cancel")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(3_000)
        assert asked == []
        assert page.evaluate("window.untouched")
        assert complaints == []

    with subtests.test("filters are chosen and applied"):
        page, complaints = open_page(browser, web, "/admin/operations/operation/", session)
        page.click("text=Filters")
        page.check("input[name=status__exact][value=succeeded]")
        page.fill("input[name=created_at_from]", timezone.now().date().isoformat())
        page.click("text=Apply Filters")
        page.wait_for_url("**status__exact=succeeded**")
        assert page.locator(".console-progress--succeeded").count() == 1
        page.goto(page.url.replace("status__exact=succeeded", "status__exact=failed"))
        assert page.locator(".console-progress").count() == 0
        assert complaints == []
