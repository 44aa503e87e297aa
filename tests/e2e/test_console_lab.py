"""The page during real releases: two people sign in at an issuer, one holds a canary, the other answers, takes back, looks around.

Real handlers, machines, load balancer and traffic; only the clock is compressed. `python -m tools.screenshots` keeps the
pictures that it takes on its way (`CONSOLE_PICTURES`). Run with `-s` for the requests that a minute took.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.scenes.bring_up import bring_up
from lab.scenes.driver import start_release, timeline
from lab.traffic.load import Load
from lab.world import World
from tests.support.browser import PHONE, Visit, browser, missing, missing_axe, visit
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect

pytestmark = [pytest.mark.skipif(bool(missing()), reason=missing())]

ENVIRONMENT, SERVICE = "production", "backend-api"
OTHERS = ("website", "api-gateway")
# What of a page is pictured where all of it would be too long.
TOP: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": 1000}
ASKS, ANSWERS = "developer", "platform-lead"
# Long enough for people to read, and for a judge to have some windows; the lab runs sixty times as fast.
CHANGES = (
    ("strategies.yaml", "judge: {at_most: 1m}", "judge: {at_most: 4h}"),
    ("strategies.yaml", "bake: {at_most: 1m}", "bake: {at_most: 1h}"),
    ("strategies.yaml", "rollback_window: 1h", "rollback_window: 12h"),
)


@contextmanager
def under_way(folder: Path) -> Iterator[World]:
    """Production with three services under traffic."""
    catalog = quick_catalog(folder / "catalog", *CHANGES)
    with World(folder / "lab", time_scale=60, catalog=catalog) as made:
        bring_up(made, (ENVIRONMENT,), (SERVICE, *OTHERS))
        load = Load(
            made.sites[ENVIRONMENT].port, [made.host(ENVIRONMENT, name) for name in (SERVICE, *OTHERS)], 240.0
        )
        load.start()
        yield made
        load.stop()


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(under_way)


@pytest.fixture(scope="module")
def made() -> Iterator[Browser]:
    with browser() as started:
        started_at = time.time()
        yield started
        print(f"browser open for {time.time() - started_at:.0f} s")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("CONSOLE_PICTURES") or tmp_path)


def address(world: World) -> str:
    return world.sites[ENVIRONMENT].stack.outputs["ConsoleUrl"]


def sign_in(seen: Visit, person: str, place: str) -> None:
    """As a person does: from a place, over the issuer, back to the place."""
    page = seen.page
    page.goto(f"{seen.url}/{place}")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=person, exact=True).click()
    seen.see(page.locator(".me").get_by_text(person), PATIENCE)
    assert page.url == f"{seen.url}/{place}"


def press(seen: Visit, label: str, reason: str) -> str:
    """Press a button of the page, confirm with a reason; what the server answered."""
    page = seen.page
    seen.see(page.get_by_role("button", name=label).first, PATIENCE).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").last.fill(reason)
    dialog.locator("button[type=submit]").click()
    answer = dialog.locator(".answer, .error")
    seen.see(answer, PATIENCE)
    assert "answer" in (answer.get_attribute("class") or ""), answer.inner_text()
    said = answer.inner_text()
    dialog.get_by_role("button", name="Close").click()
    return said


def headline(seen: Visit, text: str) -> None:
    print(f"{time.strftime('%X')} waits for: {text}")
    seen.see(seen.page.locator("h1").get_by_text(text), PATIENCE)


def evidence(seen: Visit) -> float:
    """Where the gauge stands, between -1 and 1."""
    left = seen.page.evaluate("document.querySelector('.gauge .dot')?.style.left ?? '50%'")
    return float(left.rstrip("%")) / 50 - 1


def entries(world: World, release: str) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in timeline(world, ENVIRONMENT, release)}


def test_a_release_is_held_answered_and_taken_back_in_the_page(
    world: World, made: Browser, pictures: Path
) -> None:
    url, issuer = address(world), world.oidc.issuer
    with (
        visit(made, url, issuer, token="") as asks,
        visit(made, url, issuer, token="") as answers,
    ):
        release = start_release(world, ENVIRONMENT, SERVICE, "1.1.0", by=ASKS, reason="faster search")
        sign_in(asks, ASKS, f"#/releases/{release}")
        began = time.monotonic()
        assert "operator" in asks.page.locator(".me").inner_text()
        asks.see(asks.page.locator(".timeline").get_by_text("shifted").first, PATIENCE)

        # Who released it holds it, and lets it go on.
        press(asks, "Pause", "looking at the logs first")
        headline(asks, "until somebody resumes it")
        paused = eventually(lambda: entries(world, release).get("paused"))
        assert (paused["by"], "looking at the logs first" in paused["reason"]) == (ASKS, True)
        press(asks, "Resume", "they are clean")

        # On its way: half of what promotes, or more; a fast judge may have asked already.
        eventually(lambda: asks.page.locator(".question").count() or evidence(asks) > 0.5)
        asks.page.screenshot(path=pictures / "console-canary.png", full_page=True, clip=TOP)

        # Who asks does not answer: somebody else finds the question in the fleet.
        asks.see(asks.page.locator(".question"), PATIENCE)
        assert asks.page.get_by_role("button", name="Approve").count() == 0
        assert ANSWERS in asks.page.locator(".question .not-mine").inner_text()

        sign_in(answers, ANSWERS, "#/")
        need = answers.page.locator(".need").filter(has_text=SERVICE)
        answers.see(need, PATIENCE)
        answers.page.screenshot(path=pictures / "console-fleet.png")
        need.get_by_role("link").first.click()
        answers.see(answers.page.locator(".question"), PATIENCE)
        answers.page.screenshot(path=pictures / "console-question.png")
        answers.page.get_by_role("button", name="Approve").click()
        answers.page.screenshot(path=pictures / "console-confirm.png")
        answers.page.keyboard.press("Escape")
        press(answers, "Approve", "the numbers are good")
        approved = eventually(lambda: entries(world, release).get("approved"))
        assert approved["by"] == ANSWERS
        with visit(made, url, token=world.oidc.token(ANSWERS), color_scheme="dark") as dark:
            page = dark.go(f"#/releases/{release}")
            dark.see(page.locator(".plot canvas").first, PATIENCE)
            page.wait_for_timeout(1000)
            page.screenshot(path=pictures / "console-release-dark.png", full_page=True)

        # Live for all, and taken back in its window.
        answers.see(answers.page.get_by_role("button", name="Roll back"), PATIENCE)
        answers.page.screenshot(path=pictures / "console-release.png", full_page=True)
        press(answers, "Roll back", "customers report wrong totals")
        headline(answers, "rolled back")
        taken = eventually(lambda: entries(world, release).get("rolled_back"))
        assert "wrong totals" in str(entries(world, release)["rolling_back"]) and taken
        asked, minutes = sum("/v1/releases/" in each for each in asks.asked), (time.monotonic() - began) / 60
        print(
            f"a page that looked at a release for {minutes:.1f} minutes: {asked / minutes:.0f} requests a minute"
        )
        assert asked / minutes <= 60
        assert asks.wrong() == [] and answers.wrong() == []


def test_a_bad_release_takes_itself_back_before_their_eyes(
    world: World, made: Browser, pictures: Path
) -> None:
    url = address(world)
    release = start_release(world, ENVIRONMENT, SERVICE, "bad", by=ASKS, reason="a new cache")
    with visit(made, url, token=world.oidc.token(ASKS)) as seen, visit(made, url, token=world.oidc.token(ANSWERS), viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2) as phone:  # fmt: skip
        seen.go(f"#/releases/{release}")
        headline(seen, "rolled back after")
        assert "harm" in seen.page.locator("h1 .unseen").inner_text()
        assert seen.page.locator(".steps .failed").count() == 1
        seen.page.wait_for_timeout(500)
        seen.page.screenshot(path=pictures / "console-rolled-back.png", full_page=True)
        phone.go(f"#/releases/{release}")
        headline(phone, "rolled back after")
        phone.see(phone.page.locator(".me").get_by_text(ANSWERS), PATIENCE)
        phone.page.screenshot(path=pictures / "console-phone.png")
        # Its end is in the fleet until somebody has dealt with it.
        phone.go("#/")
        phone.see(phone.page.locator(".matrix").get_by_text("rolled back").first, PATIENCE)
        assert seen.wrong() == [] and phone.wrong() == []


def test_every_other_place_answers_and_is_for_everybody(world: World, made: Browser, pictures: Path) -> None:
    with visit(made, address(world), token=world.oidc.token(ANSWERS)) as seen:
        for place in (f"services/{SERVICE}", "signals", "recovery", "calendar", "cost", "audit", ""):
            page = seen.go(f"#/{place}")
            seen.see(page.locator("h1"), PATIENCE)
            assert page.locator("h1").inner_text() not in (
                "No answer",
                "There is no such place",
                "You may not see this",
            ), place
            name = place.partition("/")[0] or "fleet-quiet"
            page.screenshot(
                path=pictures / f"console-{name.replace('services', 'service')}.png", full_page=True
            )
            if not missing_axe():
                assert seen.axe() == [], place
            assert seen.sideways() <= 0
        assert seen.page.locator(".matrix tbody tr").count() >= 1 + len(OTHERS)
        assert seen.wrong() == []


def test_a_reader_sees_and_presses_nothing(world: World, made: Browser) -> None:
    with visit(made, address(world), token=world.oidc.token("visitor")) as seen:
        page = seen.go(f"#/services/{SERVICE}")
        seen.see(page.locator(".weights"), PATIENCE)
        assert page.locator(".actions .buttons button").count() == 0
    with visit(made, address(world), token=world.oidc.token("stranger")) as seen:
        page = seen.page
        page.goto(f"{seen.url}/#/")
        seen.see(page.get_by_text("You may not see this"), PATIENCE)
    with visit(made, address(world), token=world.oidc.token(ANSWERS, exp=time.time() - 3600)) as seen:
        seen.page.goto(f"{seen.url}/#/")
        seen.see(seen.page.get_by_role("button", name="Sign in"), PATIENCE)
