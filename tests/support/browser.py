"""A real browser, as a person has it, that notes what a page does and should not: errors, refusals by its policy, other origins."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".tools/node/node_modules/axe-core/axe.min.js"
# Chromium as Debian has it, or by other names.
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 780}
NARROW = PHONE["width"]
# Kept by the page's own document, so also of what happens before anybody looks.
WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (e) => window.refused.push(`${e.violatedDirective} ${e.blockedURI}`));
window.ran = [];
window.alert = (text) => window.ran.push(String(text));
"""


def chromium() -> str:
    """Where the browser is; empty where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def missing() -> str:
    """What a test with a browser needs and is not here."""
    if importlib.util.find_spec("playwright") is None:
        return "needs playwright (requirements.lock has it; make setup)"
    return "" if chromium() else "needs chromium (apt-get install chromium); .ci/run installs it"


def missing_axe() -> str:
    return "" if AXE.is_file() else "needs axe-core (make tools)"


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        made = started.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield made
        made.close()


class Visit:
    """One page in a context of its own. `others` may be asked beside the page's origin: the issuer, when one signs in."""

    def __init__(self, context: BrowserContext, url: str, *others: str) -> None:
        self.context, self.url = context, url
        self.allowed = {urlsplit(each).netloc for each in (url, *others)}
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        # What a browser writes into its console of every status that is no success; tests look at those themselves.
        self.page.on(
            "console",
            lambda m: (
                self.errors.append(m.text)
                if m.type == "error" and "Failed to load resource" not in m.text
                else None
            ),
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, place: str) -> Page:
        """Open a place, and wait until it says something."""
        self.page.goto(f"{self.url}/{place}")
        self.page.reload()
        self.page.wait_for_selector("h1")
        return self.page

    def see(self, found: Locator, seconds: float) -> Locator:
        """Wait for something to be seen; not for what cannot come any more, because the page broke."""
        from playwright.sync_api import TimeoutError

        for _ in range(max(1, round(seconds / 5))):
            try:
                found.wait_for(timeout=5000)
                return found
            except TimeoutError:
                assert not self.errors, self.errors
        raise AssertionError(
            f"not seen within {seconds:.0f} s: {found}; there is: {self.page.locator('main').inner_text()[:600]}"
        )

    def sideways(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 AA and its own best practices, an element each."""
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {one['help']}: {node['target'][0]}: {json.dumps(node['any'][:1])[:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def wrong(self) -> list[str]:
        """What happened that must not, so far."""
        strange = [
            each
            for each in self.asked
            if urlsplit(each).netloc not in self.allowed and not each.startswith("data:")
        ]
        refused = self.page.evaluate(
            "[...(window.refused ?? []), ...(window.ran ?? []).map((text) => `ran ${text}`)]"
        )
        return [*self.errors, *strange, *refused]


@contextmanager
def visit(
    made: Browser, url: str, *others: str, token: str = "header.claims.signature", **options: Any
) -> Iterator[Visit]:
    """Somebody who looks, in California; signed in with `token`, or not at all where that is empty."""
    settings = {"viewport": DESKTOP, "timezone_id": "America/Los_Angeles", "locale": "en-US", **options}
    context = made.new_context(**settings)
    # Nothing fails because a machine is slow.
    context.set_default_timeout(PATIENCE * 1000)
    context.add_init_script(WATCH)
    if token:
        kept = json.dumps({"token": token, "expires_at": 9e9})
        context.add_init_script(
            f"if (!sessionStorage.visited) {{ sessionStorage.visited = 1; sessionStorage.setItem('candlefish.session', {json.dumps(kept)}); }}"
        )
    try:
        yield Visit(context, url, *others)
    finally:
        context.close()
