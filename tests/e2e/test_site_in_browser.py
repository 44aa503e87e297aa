"""The site in a real browser: it draws its diagrams, finds words, and asks nobody but its own origin."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.browser import browser, missing
from tools.site_check import SITE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MISSING = missing() or ("" if (SITE / "index.html").exists() else "needs the site (make site)")

pytestmark = [pytest.mark.loopback, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

# A page with diagrams, one with tables and details, and the front page with a picture.
PAGES = ("index.html", "architecture.html", "machines.html", "troubleshooting.html", "decisions/index.html")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def made() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_ask_their_own_origin_alone_and_draw_their_diagrams(
    made: Browser, address: str, scheme: str
) -> None:
    asked: list[str] = []
    wrong: list[str] = []
    page = made.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    for name in PAGES:
        page.goto(f"{address}/{name}")
        diagrams = (SITE / name).read_text().count('class="mermaid"')
        # The theme puts a drawn diagram into the place of its text.
        page.wait_for_function(f"document.querySelectorAll('div.mermaid').length === {diagrams}")
        assert page.locator("pre.mermaid").count() == 0, name
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{name} is too wide"
        )
    page.close()
    assert {urlsplit(each).netloc for each in asked if not each.startswith(("data:", "blob:"))} == {
        urlsplit(address).netloc
    }
    assert wrong == []


def test_a_message_is_found_by_its_words(made: Browser, address: str) -> None:
    page = made.new_page()
    page.goto(f"{address}/index.html")
    page.locator("input.md-search__input").click()
    page.keyboard.type("no healthy target")
    found = page.locator(".md-search-result__item a").first
    found.wait_for()
    links = page.locator(".md-search-result__item a").evaluate_all("all => all.map(each => each.href)")
    page.close()
    assert any("troubleshooting.html" in each or "runbook" in each for each in links)
