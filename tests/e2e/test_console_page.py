"""The page in a real browser, by the read model's samples: what is seen, by whom, and what it never does."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.support.browser import NARROW, PHONE, browser, missing, missing_axe, visit
from tests.support.console import Fixture, sample, samples
from tests.support.issuer import SmallIssuer
from tests.support.views import fleet_of
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.loopback, pytest.mark.skipif(bool(missing()), reason=missing())]

RELEASE = "backend-api-20261130-222901-7c1e"
LISTS = ("signals", "recovery", "calendar", "cost", "audit")
PLACES = (
    "#/", "#/services/backend-api", *(f"#/{name}" for name in LISTS),
    *(f"#/releases/release-{name}" for name in (
        "canary", "question", "question-own", "harmed", "rolled-back", "cannot-tell", "promoted-in-window", "train-member", "hostile",
    )),
)  # fmt: skip
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
}


@pytest.fixture(scope="module")
def made() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def fixture() -> Iterator[Fixture]:
    served = Fixture(samples())
    served.views[f"/releases/{RELEASE}"] = sample("release-question")
    yield served
    served.close()


def settle(page: Page, fixture: Fixture) -> None:
    """Wait until every read that was begun has been answered and drawn."""
    seen = -1
    while seen != len(fixture.asked):
        seen = len(fixture.asked)
        page.wait_for_timeout(30)


@pytest.mark.skipif(bool(missing_axe()), reason=missing_axe())
@pytest.mark.parametrize("look", LOOKS)
def test_every_view_is_for_everybody_and_fits(made: Browser, fixture: Fixture, look: str) -> None:
    with visit(made, fixture.url, **LOOKS[look]) as seen:
        for place in PLACES:
            page = seen.go(place)
            for summary in page.query_selector_all("summary"):
                summary.click()
            assert seen.axe() == [], place
            assert seen.sideways() <= 0, place
            assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
        assert seen.wrong() == []


def test_what_needs_a_person_is_in_the_first_screenful_of_a_phone(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url, **LOOKS["phone"]) as seen:
        for place in ("#/", "#/releases/release-question", "#/services/backend-api"):
            if place == "#/services/backend-api":
                fixture.views["/services/backend-api"]["release"] = sample("release-question")
            page = seen.go(place)
            box = page.get_by_role("button", name="Approve").first.bounding_box()
            assert (
                box and box["y"] + box["height"] <= PHONE["height"] and box["x"] + box["width"] <= NARROW
            ), place


def test_the_sentence_says_it_and_a_change_of_it_is_heard(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        says = fixture.views["/releases/release-canary"]["says"]
        assert page.locator("h1").inner_text().endswith(says)
        live = page.locator("[aria-live=polite]")
        assert live.inner_text() == says
        fixture.views["/releases/release-canary"] |= {
            "says": "rolled back after 3 minutes: 21% failed",
            "tone": "bad",
        }
        page.get_by_text("rolled back after 3 minutes").first.wait_for()
        assert live.inner_text() == "rolled back after 3 minutes: 21% failed"
        assert "harm" in page.locator("h1 .unseen").inner_text()


def test_a_version_has_its_colour_in_every_picture(made: Browser, fixture: Fixture) -> None:
    count = """() => [...document.querySelectorAll(".plot canvas")].map((c) => {
      const at = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
      const wanted = Object.fromEntries(["old", "new", "harm"].map((n) => [n, at(n)]));
      const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
      const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, found = { old: 0, new: 0, harm: 0 };
      for (const [n, hex] of Object.entries(wanted)) { const [r, g, b] = rgb(hex);
        for (let i = 0; i < data.length; i += 4) if (data[i+3] > 120 && [r, g, b].every((c, k) => Math.abs(data[i+k] - c) < 10)) found[n] += 1; }
      return found; })"""
    for scheme in ("light", "dark"):
        with visit(made, fixture.url, color_scheme=scheme) as seen:
            page = seen.go("#/releases/release-canary")
            page.wait_for_selector(".plot canvas")
            page.wait_for_timeout(100)
            traffic, failed, latency, evidence = page.evaluate(count)
            for picture in (traffic, failed, latency):
                assert picture["old"] > 20 and picture["new"] > 20 and picture["harm"] == 0
            assert evidence["harm"] > 20 and evidence["new"] == 0
            fills = page.evaluate(
                "[...document.querySelectorAll('.weights .bar .new, .weights .version.new .swatch')].map((e) => getComputedStyle(e).fill + getComputedStyle(e).backgroundColor)"
            )
            assert fills and len(fills) >= 2


def test_a_hostile_release_is_text_and_nothing_else(made: Browser, fixture: Fixture) -> None:
    fixture.views["/fleet"] = fixture.views["/fleet"] | {"says": sample("release-hostile")["says"]}
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-hostile")
        for summary in page.query_selector_all("summary"):
            summary.click()
        page.get_by_role("button", name="Approve").click()
        text = page.locator("body").inner_text()
        assert "</script><script>alert(1)</script>" in text and "&amp;" in text and "[bold red]" in text
        # What would hide or turn the text around it is a sign that is seen.
        assert "\u241b[31m" in text and not re.search("[\u0000-\u0008\u001b\u202e\u2066]", text)
        scripts = page.evaluate("[...document.scripts].map((script) => script.src)")
        assert len(scripts) == 3 and all(src.startswith(f"{fixture.url}/assets/") for src in scripts)
        links = page.evaluate("[...document.querySelectorAll('a')].map((a) => new URL(a.href).origin)")
        assert set(links) == {fixture.url}
        seen.go("#/")
        assert "<script>" in page.locator("h1").inner_text()
        assert seen.wrong() == []


ACTIONS = [
    ("release-question", "Approve", "answers", {"question": "5f2c9a10", "answer": "approved", "reason": "looks well"}),
    ("release-question", "Deny", "answers", {"question": "5f2c9a10", "answer": "denied", "reason": "looks well"}),
    ("release-canary", "Pause", "pause", {"reason": "looks well"}),
    ("release-train-member", "Resume", "resume", {"reason": "looks well"}),
    ("release-canary", "Promote now", "promote", {"reason": "looks well"}),
    ("release-canary", "Abort", "abort", {"reason": "looks well"}),
    ("release-promoted-in-window", "Roll back", "rollback", {"bad": True, "reason": "looks well"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "label", "verb", "body"), ACTIONS, ids=[each[1] for each in ACTIONS])
def test_an_action_says_what_it_will_do_takes_a_reason_and_tells_the_answer(
    made: Browser, fixture: Fixture, name: str, label: str, verb: str, body: dict[str, Any]
) -> None:
    view = fixture.views[f"/releases/{name}"]
    names = {"Approve": "approve", "Deny": "deny", "Pause": "pause", "Resume": "resume", "Promote now": "promote", "Abort": "abort", "Roll back": "rollback"}  # fmt: skip
    action = next(each for each in view["actions"] if each["name"] == names[label])
    action |= {"may": True}
    fixture.answers[verb] = (200, {"says": "the control plane took it, and says so"})
    with visit(made, fixture.url) as seen:
        page = seen.go(f"#/releases/{name}")
        page.get_by_role("button", name=label, exact=False).first.click()
        dialog = page.get_by_role("dialog")
        assert action["does"] in dialog.inner_text() and "platform-lead (approver)" in dialog.inner_text()
        assert fixture.posts() == []
        dialog.get_by_role("textbox").fill("  looks well ")
        dialog.get_by_role("button", name=f"{label.removesuffix(' now')} now", exact=True).click()
        dialog.get_by_text("the control plane took it, and says so").wait_for()
        ((path, posted),) = fixture.posts()
        about = f"/v1/services/{view['service']}" if verb == "rollback" else f"/v1/releases/{view['id']}"
        assert path == f"{about}/{verb}"
        assert posted == (body | {"release": view["id"]} if verb == "rollback" else body)
        dialog.get_by_role("button", name="Close").click()
        assert dialog.count() == 0 and seen.wrong() == []


def test_a_dialog_that_the_browser_closes_by_itself_opens_again(made: Browser, fixture: Fixture) -> None:
    """A browser asks nobody before it closes one when Escape comes a second time without anything in between."""
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-question")
        for _ in range(3):
            page.get_by_role("button", name="Approve").first.click()
            page.get_by_role("dialog").wait_for()
            page.evaluate("document.querySelector('dialog').close()")
            page.locator("dialog").wait_for(state="detached")


def test_what_the_server_answers_is_told_also_when_what_was_asked_is_gone_meanwhile(
    made: Browser, fixture: Fixture
) -> None:
    """A look may come between an answer and what is said to it: the question, and every button, is gone by then."""
    place = "/releases/release-question"
    fixture.answers["answers"] = (200, {"says": "approved by platform-lead"})
    with visit(made, fixture.url) as seen:
        page = seen.go(f"#{place}")
        page.get_by_role("button", name="Approve").first.click()
        dialog = page.get_by_role("dialog")
        fixture.views[place] = {
            **fixture.views[place], "question": None, "actions": [], "says": "1.1.0 goes on"
        }  # fmt: skip
        page.locator("h1").get_by_text("1.1.0 goes on").wait_for()
        assert page.locator(".question").count() == 0
        dialog.get_by_role("textbox").fill("the numbers are good")
        dialog.get_by_role("button", name="Approve now").click()
        dialog.get_by_text("approved by platform-lead").wait_for()
        # Another place has nothing to do with it.
        page.evaluate("location.hash = '#/'")
        page.locator("dialog").wait_for(state="detached")


def test_a_dialog_asks_in_a_sentence(made: Browser, fixture: Fixture) -> None:
    action = fixture.views["/services/backend-api"]["actions"][-1]
    fixture.views["/services/backend-api"]["actions"] = [
        action | {"name": name, "may": True} for name in ("promote", "unfreeze")
    ]
    with visit(made, fixture.url) as seen:
        page = seen.go("#/services/backend-api")
        dialog = page.get_by_role("dialog")
        for button, asks in {
            "Promote now": "Promote backend-api now?",
            "Lift the freeze": "Lift the freeze of backend-api?",
        }.items():
            page.get_by_role("button", name=button).click()
            assert dialog.locator("h2").inner_text() == asks
            dialog.get_by_role("button", name="Leave it").click()


def test_what_was_sent_and_not_answered_is_not_known_to_be_done_or_not(
    made: Browser, fixture: Fixture
) -> None:
    fixture.answers["pause"] = (504, {"message": "Endpoint request timed out"})
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Pause now").click()
        told = dialog.get_by_role("alert").inner_text()
        assert "timed out" in told and "Whether it was taken is not known" in told


def test_the_focus_goes_to_the_sentence_where_the_button_is_gone_meanwhile(
    made: Browser, fixture: Fixture
) -> None:
    place = "/releases/release-question"
    with visit(made, fixture.url) as seen:
        page = seen.go(f"#{place}")
        page.get_by_role("button", name="Approve").first.click()
        fixture.views[place] = {**fixture.views[place], "question": None, "actions": [], "says": "1.1.0 goes on"}  # fmt: skip
        page.locator("h1").get_by_text("1.1.0 goes on").wait_for()
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="detached")
        assert page.evaluate("document.activeElement.tagName") == "H1"


def test_a_freeze_asks_until_when_and_why(made: Browser, fixture: Fixture) -> None:
    fixture.answers["freezes"] = (200, {"says": "backend-api is frozen"})
    with visit(made, fixture.url) as seen:
        page = seen.go("#/services/backend-api")
        page.get_by_role("button", name="Freeze").click()
        dialog = page.get_by_role("dialog")
        assert "Until (PST)" in dialog.inner_text()
        dialog.get_by_label("Reason").fill("a sale")
        for wrong in ("", "2026-11-30T09:00"):
            dialog.get_by_label("Until").fill(wrong)
            dialog.get_by_role("button", name="Freeze now").click()
            assert "Say until when" in dialog.get_by_role("alert").inner_text() and fixture.posts() == []
        dialog.get_by_label("Until").fill("2026-12-01T09:00")
        dialog.get_by_role("button", name="Freeze now").click()
        dialog.get_by_text("backend-api is frozen").wait_for()
        # What was typed is the reader's time: nine in California.
        assert fixture.posts() == [
            ("/v1/freezes", {"service": "backend-api", "until": 1796144400, "reason": "a sale"})
        ]


def test_a_filter_counts_services_and_ends_where_the_address_has_none(
    made: Browser, fixture: Fixture
) -> None:
    cells = fixture.views["/fleet"]["cells"]
    still = {each["service"] for each in cells if each["asleep"] or each["frozen"] or each["held"]}
    with visit(made, fixture.url) as seen:
        page = seen.go("#/")
        rows = page.locator(".matrix tbody tr")
        every = rows.count()
        pick = page.get_by_role("button", name="asleep, frozen or held")
        assert pick.inner_text().split()[-1] == str(len(still))
        pick.click()
        assert rows.count() == len(still)
        page.get_by_role("searchbox").fill("mailer")
        assert rows.count() == 1 and page.url.endswith("#/?show=still&q=mailer")
        page.get_by_role("link", name="Fleet").click()
        rows.nth(every - 1).wait_for()
        assert page.get_by_role("searchbox").input_value() == ""


def test_times_say_their_zone_and_moments_their_month(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        for place in PLACES:
            page = seen.go(place)
            assert "PST (America/Los_Angeles)" in page.locator("footer").inner_text(), place
        page = seen.go("#/releases/release-canary")
        assert "Nov 30, 2026, 14:29:01 PST" in page.locator("[aria-labelledby=names]").inner_text()
        assert "since 12 min ago" not in page.locator("main").inner_text()


def test_every_place_and_what_a_date_is_are_seen_on_a_phone(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url, **LOOKS["phone"]) as seen:
        page = seen.go("#/calendar")
        hidden = page.evaluate("(nav => nav.scrollWidth - nav.clientWidth)(document.querySelector('nav'))")
        assert hidden <= 0
        cells = page.locator(".days tbody tr").first.locator("th, td").all()
        said = [
            cell.evaluate("(it) => getComputedStyle(it, '::before').content.replaceAll('\"', '')")
            for cell in cells
        ]
        assert said == ["From", "Until", "State", "Why"]


def test_names_as_long_as_they_come_fit_a_phone(made: Browser, fixture: Fixture) -> None:
    long = "a-very-long-name-that-somebody-thought-of-" * 3

    def lengthened(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: lengthened(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [lengthened(each, key) for each in value]
        names = (
            "service",
            "owner",
            "label",
            "subject",
            "target",
            "title",
            "says",
            "reason",
            "pod",
            "command",
        )
        return long if value and key in names else value

    for place, view in fixture.views.items():
        fixture.views[place] = lengthened(view)
    fixture.views["/me"]["who"]["name"] = f"{long}@example.com"
    with visit(made, fixture.url, **LOOKS["phone"]) as seen:
        for place in PLACES:
            seen.go(place).locator(".me").get_by_text(long).wait_for()
            assert seen.sideways() <= 0, place
        assert seen.page.get_by_role("button", name="Sign out").bounding_box()["x"] < NARROW  # type: ignore[index]
    with visit(made, fixture.url) as seen:
        seen.go("#/").locator(".me").get_by_text(long).wait_for()
        # Nothing of the places is pushed away.
        assert seen.page.evaluate("(nav => nav.scrollWidth - nav.clientWidth)(document.querySelector('nav'))") <= 0  # fmt: skip


def test_what_was_asked_for_has_the_focus_where_its_button_is_gone(made: Browser, fixture: Fixture) -> None:
    needs = fixture.views["/fleet"]["needs"]
    fixture.views["/fleet"]["needs"] = [needs[-1] | {"at": 1.7e9 + n} for n in range(6)]
    audit = fixture.views["/audit"]
    fixture.views["/audit"] = lambda: (
        audit | ({"lines": [], "older": ""} if "before=" in fixture.asked[-1].path else {})
    )
    with visit(made, fixture.url) as seen:
        page = seen.go("#/")
        page.get_by_role("button", name="Show 2 more").press("Enter")
        page.locator(".need:focus, .need :focus").wait_for()
        assert page.evaluate("document.querySelectorAll('.need')[4].contains(document.activeElement)")
        page = seen.go("#/audit")
        page.get_by_role("button", name="Show older").press("Enter")
        page.get_by_text("There is nothing older.").wait_for()
        page.locator(".end:focus, .end :focus").wait_for()


def test_who_reads_is_asked_for_until_it_is_known(made: Browser, fixture: Fixture) -> None:
    me = fixture.views.pop("/me")
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        settle(page, fixture)
        fixture.views["/me"] = me
        page.locator(".me").get_by_text("platform-lead").wait_for()
        settle(page, fixture)
        before = len(fixture.reads("/v1/me"))
        page.wait_for_timeout(2500)
        assert len(fixture.reads("/v1/me")) == before


def test_what_is_no_longer_there_for_the_reader_is_not_called_silence(
    made: Browser, fixture: Fixture
) -> None:
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        fixture.refuse = (403, {"detail": "developer is no reader here any more"})
        page.wait_for_selector(".banner")
        told = page.locator(".banner").inner_text()
        assert "No answer" not in told
        assert "Nothing new since" in told and "no reader here any more" in told


def test_a_browser_without_a_network_says_so_and_comes_back(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        settle(page, fixture)
        seen.context.set_offline(True)
        page.locator(".banner").get_by_text("This browser is offline").wait_for()
        # What is said stays in sight, wherever one reads.
        page.evaluate("scrollTo(0, 600)")
        assert page.evaluate("document.querySelector('.banner').getBoundingClientRect().top") >= 0
        seen.context.set_offline(False)
        page.locator(".banner").wait_for(state="detached")


def test_a_clock_that_is_wrong_hours_is_no_reason_to_be_signed_out(made: Browser, fixture: Fixture) -> None:
    """What was shown last is said in the server's time; and a token that was just given has not ended."""
    issuer = SmallIssuer()
    fixture.views["/session"] = {
        "authorize": f"{issuer.url}/authorize", "client": "console", "scope": "openid", "audience": "", "logout": "",
    }  # fmt: skip
    fixture.answers["session"] = (200, {"token": "new.token.here", "expires_at": 1_796_078_463 + 3600})
    try:
        with visit(made, fixture.url, issuer.url, token="") as seen:
            page = seen.page
            page.clock.set_fixed_time((1_796_078_463 + 5 * 3600) * 1000)
            page.goto(f"{fixture.url}/#/releases/release-question")
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_selector(".question")
            fixture.refuse = (401, {"message": "Unauthorized"})
            page.get_by_text("what you see is from 14:41 PST").wait_for()
    finally:
        issuer.close()


def test_other_environments_are_seen_and_lead_nowhere(made: Browser, fixture: Fixture) -> None:
    assert fixture.views["/fleet"]["here"] == "production"
    for cell in fixture.views["/fleet"]["cells"]:
        cell["release"] = f"of-{cell['environment']}"
    with visit(made, fixture.url) as seen:
        page = seen.go("#/")
        links = page.evaluate("[...document.querySelectorAll('.matrix td a')].map((a) => a.hash)")
        assert links and set(links) == {"#/releases/of-production"}
        assert "asleep until 06:00" in page.locator(".matrix").inner_text()


def test_a_refusal_is_told_where_the_reason_still_stands(made: Browser, fixture: Fixture) -> None:
    fixture.answers["answers"] = (
        403,
        {"title": "NotAllowed", "detail": "you asked for this release: somebody else has to answer"},
    )
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-question")
        page.get_by_role("button", name="Deny").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Deny now").click()
        assert "Say why" in dialog.get_by_role("alert").inner_text() and fixture.posts() == []
        dialog.get_by_role("textbox").fill("not today")
        dialog.get_by_role("button", name="Deny now").click()
        dialog.get_by_text("somebody else has to answer").wait_for()
        assert dialog.get_by_role("textbox").input_value() == "not today"
        # A sign-in that ended meanwhile: the reason waits in the dialog.
        fixture.answers["answers"] = (401, {"message": "Unauthorized"})
        dialog.get_by_role("button", name="Deny now").click()
        page.get_by_text("Your sign-in ended; what you see").wait_for()
        assert "Nothing was done" in dialog.get_by_role("alert").inner_text()
        assert dialog.get_by_role("textbox").input_value() == "not today"


def test_who_may_not_sees_why_and_who_can(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-question-own")
        refused = [
            each for each in fixture.views["/releases/release-question-own"]["actions"] if not each["may"]
        ]
        assert refused
        told = page.locator(".not-mine").inner_text()
        for action in refused:
            assert action["why_not"] in told and action["who"][0]["name"] in told
        assert page.get_by_role("button", name="Approve").count() == 0


def test_all_of_it_by_keyboard(made: Browser, fixture: Fixture) -> None:
    fixture.answers["answers"] = (200, {"says": "approved"})
    with visit(made, fixture.url) as seen:
        page = seen.go("#/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"

        def tab_to(text: str) -> None:
            for _ in range(60):
                page.keyboard.press("Tab")
                # Whatever has the focus shows that it has.
                ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert ring != "none", page.evaluate("document.activeElement.outerHTML")
                if page.evaluate("document.activeElement.innerText ?? ''").startswith(text):
                    return
            raise AssertionError(f"no {text!r} within 60 tabs")

        tab_to("backend-api 1.1.0 waits")
        page.keyboard.press("Enter")
        page.wait_for_selector(".question")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        tab_to("Approve")
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for()
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
        page.keyboard.press("Escape")
        assert page.get_by_role("dialog").count() == 0
        assert page.evaluate("document.activeElement.innerText").startswith("Approve")
        page.keyboard.press("Enter")
        page.locator("dialog textarea:focus").wait_for()
        page.keyboard.type("by keyboard")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_text("approved").wait_for()
        assert fixture.posts()[0][1]["reason"] == "by keyboard"
        page.keyboard.press("Escape")
        page.go_back()
        page.wait_for_selector(".matrix")
        page.keyboard.press("Control+k")
        page.keyboard.type("mailer")
        assert page.locator(".matrix tbody tr").count() == 1


@pytest.mark.parametrize(
    ("place", "most"), [("#/releases/release-canary", 31), ("#/cost", 7)], ids=["in flight", "quiet"]
)
def test_an_open_page_asks_rarely(made: Browser, fixture: Fixture, place: str, most: int) -> None:
    with visit(made, fixture.url) as seen:
        seen.page.clock.install(time=1_796_078_463)
        page = seen.go(place)
        settle(page, fixture)
        before = len(fixture.reads())
        for _ in range(60):
            page.clock.run_for(1000)
            settle(page, fixture)
        asked = len(fixture.reads()) - before
        print(f"{place}: {asked} requests a minute")
        assert 1 < asked <= most
        # All but the first were answered with nothing new, and nothing else was asked.
        assert all("if-none-match" in each.headers for each in fixture.reads()[before:])
        assert {each.path for each in fixture.reads()[before:]} == {f"/v1{place[1:]}"}


def test_nobody_is_asked_while_nobody_looks(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        seen.page.clock.install(time=1_796_078_463)
        page = seen.go("#/releases/release-canary")
        settle(page, fixture)
        page.evaluate(
            "Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))"
        )
        before = len(fixture.reads())
        for _ in range(30):
            page.clock.run_for(2000)
        settle(page, fixture)
        assert len(fixture.reads()) == before
        # It is asked at once; how soon a busy machine comes to it is another matter.
        with page.expect_response("**/v1/**"):
            page.evaluate(
                "Object.defineProperty(document, 'hidden', { value: false, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))"
            )
        settle(page, fixture)
        assert len(fixture.reads()) == before + 1


def test_silence_is_said_and_what_was_known_stays(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        seen.page.clock.install(time=1_796_078_463)
        page = seen.go("#/releases/release-canary")
        settle(page, fixture)
        fixture.refuse = (503, {"detail": "the table is throttled"})
        before = len(fixture.reads())
        for _ in range(120):
            page.clock.run_for(1000)
            settle(page, fixture)
        banner = page.locator(".banner").inner_text()
        assert (
            "No answer since 14:41" in banner
            and "what you see is from then" in banner
            and "the table is throttled" in banner
        )
        assert "no sign of harm" in page.locator("h1").inner_text()
        # Longer and longer: two minutes of two seconds would be sixty.
        assert 3 <= len(fixture.reads()) - before <= 12
        fixture.refuse = None
        for _ in range(70):
            page.clock.run_for(1000)
            settle(page, fixture)
        assert page.locator(".banner").count() == 0


def test_signing_in_comes_back_to_the_place_and_leaves_no_trace_of_the_code(
    made: Browser, fixture: Fixture
) -> None:
    issuer = SmallIssuer()
    fixture.views["/session"] = {
        "authorize": f"{issuer.url}/authorize",
        "client": "console",
        "scope": "openid",
        "audience": "",
        "logout": "",
    }
    fixture.answers["session"] = (200, {"token": "new.token.here", "expires_at": 9e9})
    try:
        with visit(made, fixture.url, issuer.url, token="") as seen:
            page = seen.page
            page.goto(f"{fixture.url}/#/releases/release-question")
            page.get_by_role("button", name="Sign in").wait_for()
            # Nobody who has not signed in asks for anything.
            assert fixture.reads() == []
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_selector(".question")
            assert page.url == f"{fixture.url}/#/releases/release-question"
            ((_, posted),) = fixture.posts()
            assert (posted["code"], posted["redirect"]) == ("the-code", f"{fixture.url}/")
            assert issuer.asked["code_challenge_method"] == "S256" and posted["verifier"] not in str(
                issuer.asked
            )
            reads = [each for each in fixture.reads() if each.path != "/v1/session"]
            assert reads and all(each.headers["authorization"] == "Bearer new.token.here" for each in reads)
            assert not any("the-code" in each.path for each in fixture.reads("/v1/"))
            assert seen.wrong() == []
            # The token is of this tab alone, and nothing of it stands in an address.
            assert page.evaluate("localStorage.length") == 0 and page.evaluate("document.cookie") == ""
            page.get_by_role("button", name="Sign out").click()
            assert page.get_by_role("button", name="Sign in").count() == 1
            assert page.locator(".question").count() == 0
            assert page.evaluate("sessionStorage.getItem('candlefish.session')") is None
    finally:
        issuer.close()


def test_a_code_that_this_tab_did_not_ask_for_is_not_used(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url, token="") as seen:
        seen.page.goto(f"{fixture.url}/?code=stolen&state=other#/")
        seen.page.get_by_text("not begun in this tab").wait_for()
        assert fixture.posts() == []
        assert seen.page.url == f"{fixture.url}/"


def test_a_sign_in_that_ends_keeps_the_place_and_what_is_seen(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        fixture.refuse = (401, {"message": "Unauthorized"})
        page.get_by_text("Your sign-in ended").wait_for()
        assert "no sign of harm" in page.locator("h1").inner_text()
        assert page.url.endswith("#/releases/release-canary")
        settle(page, fixture)
        before = len(fixture.reads())
        page.wait_for_timeout(2500)
        assert len(fixture.reads()) == before


def test_two_hundred_services_with_fifty_releases_in_flight(made: Browser, fixture: Fixture) -> None:
    fixture.views["/fleet"] = msgspec.to_builtins(fleet_of(200, 50))
    with visit(made, fixture.url) as seen:
        began = time.monotonic()
        seen.page.goto(fixture.url)
        seen.page.wait_for_selector(".matrix tbody tr:nth-child(200)")
        took = time.monotonic() - began
        page = seen.page
        timing = page.evaluate(
            "performance.getEntriesByType('resource').reduce((n, r) => n + r.decodedBodySize, 0)"
        )
        files = page.evaluate(
            "performance.getEntriesByType('resource').filter((r) => r.name.includes('/assets/')).length"
        )
        print(
            f"the first view with 200 services and 50 in flight: {took * 1000:.0f} ms, {files} files, {timing:,} bytes with the fleet"
        )
        assert page.locator(".matrix tbody tr").count() == 200
        assert page.locator(".matrix tbody .bar").count() == 50
        assert page.locator(".need").count() <= 4
        # What did not change is not drawn again.
        page.evaluate(
            "window.changed = 0; new MutationObserver((all) => { window.changed += all.length; }).observe(document.querySelector('.matrix'), { subtree: true, childList: true, attributes: true, characterData: true })"
        )
        cells = fixture.views["/fleet"]["cells"]
        moved = next(each for each in cells if each["incoming"])
        moved["weight"] = 90
        while not page.evaluate("window.changed"):
            page.wait_for_timeout(50)
        assert page.evaluate("window.changed") <= 8
        page.get_by_role("searchbox").fill(moved["service"])
        assert page.locator(".matrix tbody tr").count() < 200
        assert seen.wrong() == []


def test_what_was_decided_is_opened_and_older_entries_are_loaded_when_asked_for(
    made: Browser, fixture: Fixture
) -> None:
    view = fixture.views["/releases/release-canary"]
    older = [
        {
            "at": 1.0e9 + n,
            "kind": "judged",
            "word": "judged",
            "tone": "info",
            "says": f"long ago {n}",
            "by": {"name": "judge", "role": ""},
            "evidence": {},
        }
        for n in range(3)
    ]
    fixture.views[f"/releases/{view['id']}/timeline"] = {"entries": older, "older": ""}
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        entry = page.locator(".timeline details").first
        assert entry.locator("dl").is_hidden()
        entry.locator("summary").click()
        assert entry.locator("dl").is_visible()
        page.get_by_role("button", name="Show older").click()
        page.get_by_text("long ago 2").wait_for()
        assert page.get_by_role("button", name="Show older").count() == 0
        asked = [each.path for each in fixture.reads() if "timeline" in each.path]
        assert asked == [f"/v1/releases/{view['id']}/timeline?before={view['older']}"]


@pytest.mark.parametrize(("place", "view", "field"), [
    ("#/signals", "/signals", "signals"), ("#/audit", "/audit", "lines"), ("#/recovery", "/recovery", "runs"),
    ("#/services/backend-api", "/services/backend-api", "releases"),
])  # fmt: skip
def test_what_newer_rows_push_off_the_first_page_stays_between_it_and_the_older_ones(
    made: Browser, fixture: Fixture, place: str, view: str, field: str
) -> None:
    first = fixture.views[view]
    row = next(iter(first[field]))
    oldest, older, old, newest = (
        row | {"id": f"row-{n}", "says": f"row {n}", "at": 1.7e9 + n, "started_at": 1.7e9 + n}
        for n in range(4)
    )
    shown = [old, older]

    def answer() -> dict[str, Any]:
        if "before=" in fixture.asked[-1].path:
            return {field: [oldest], "older": ""}
        return first | {field: shown, "older": "row 1"}

    fixture.views[view] = answer
    fixture.views[f"{view}/{field}"] = answer
    with visit(made, fixture.url) as seen:
        seen.page.clock.install(time=1_796_078_463)
        page = seen.go(place)
        rows = page.locator(".timeline > li")
        page.get_by_role("button", name="Show older").click()
        page.get_by_text("row 0").wait_for()
        assert rows.count() == 3
        shown[:] = [newest, old]
        for _ in range(12):
            page.clock.run_for(1000)
            settle(page, fixture)
        said = rows.all_inner_texts()
        assert [re.findall(r"row \d", text)[0] for text in said] == ["row 3", "row 2", "row 1", "row 0"]
        assert page.get_by_role("button", name="Show older").count() == 0
        assert seen.wrong() == []


def test_a_file_that_does_not_come_is_asked_for_again_and_then_that_is_said(
    made: Browser, fixture: Fixture
) -> None:
    for name in ("pace.js", "uplot.js", "app.css"):
        fixture.lost = {name: 2}
        with visit(made, fixture.url) as seen:
            seen.page.goto(f"{fixture.url}/#/releases/release-canary")
            seen.see(seen.page.locator("h1").get_by_text("no sign of harm"), 60)
            # Pictures are asked for after the sentence stands there, and may make the page load once more.
            eventually(lambda name=name: fixture.lost == {name: 0})
            # Not by `wait_for_function`: a page that evaluates no text refuses that, too.
            eventually(
                lambda page=seen.page: page.evaluate("sessionStorage.getItem('candlefish.tried')") is None
            )
    fixture.lost = {"pace.js": 1000}
    with visit(made, fixture.url) as seen:
        seen.page.goto(fixture.url)
        seen.page.get_by_text("trying again did not help").wait_for()
        assert fixture.lost["pace.js"] == 1000 - 4


def test_what_a_view_cannot_draw_is_said_and_the_rest_stays(made: Browser, fixture: Fixture) -> None:
    fixture.views["/releases/release-canary"]["slots"] = [{"shape": "of a newer stack"}]
    with visit(made, fixture.url) as seen:
        page = seen.go("#/releases/release-canary")
        assert "could not be drawn" in page.locator("h1").inner_text()
        page.get_by_role("link", name="Signals").click()
        page.wait_for_selector(".signals")


def test_the_page_of_another_version_is_loaded_anew(made: Browser, fixture: Fixture) -> None:
    with visit(made, fixture.url) as seen:
        page = seen.go("#/nowhere")
        assert "does not exist" in page.locator("h1").inner_text()
        page = seen.go("#/releases/unknown")
        assert "no such place" in page.locator("h1").inner_text()
        assert "there is no /releases/unknown here" in page.locator("main").inner_text()
