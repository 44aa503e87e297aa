"""What a screen must hold whatever is on it: no line too long, not too many, the newest entry and the question there."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from candlefish.views.model import EntryView, FleetView, ReleaseView, ServiceView, Who
from cli.screen.cells import Line, clean, cut, fitted, line, padded, painted, plain, width_of, wrapped
from cli.screen.fleet import fleet_lines, service_lines
from cli.screen.release import entry_text, release_lines, summary_text
from tests.support.screens import FOLDER, ZONE, screens, text
from tests.support.views import HOSTILE, NOW, SAMPLES

RELEASES = [name for name in SAMPLES if name.startswith("release-")]
# Wide, combining, joined, turned, long and empty words.
WORDS = st.text(
    st.sampled_from(list("ab. []/%日本語한\uff57é\u0301\u200d\u200b\ufe0f👩👧🇩🇪\x1b\r\n\t\x9b\u202e")),
    max_size=200,
)


def release(name: str = "release-canary") -> ReleaseView:
    view = SAMPLES[name]()
    assert isinstance(view, ReleaseView)
    return view


@pytest.mark.parametrize(("name", "lines"), list(screens()), ids=[name for name, _ in screens()])
def test_a_sample_looks_as_it_was_looked_at(name: str, lines: list[Line]) -> None:
    said = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert text(lines) == said, "look at it, then: python -m tests.support.screens"


@given(
    name=st.sampled_from(RELEASES),
    width=st.integers(20, 220),
    height=st.integers(4, 60),
    says=WORDS,
    word=WORDS,
    entries=st.integers(0, 40),
)
def test_nothing_is_wider_or_higher_and_the_newest_and_the_question_are_there(
    name: str, width: int, height: int, says: str, word: str, entries: int
) -> None:
    view = release(name)
    newest = EntryView(NOW, "judged", "newest", "info", f"{says} {word}", Who(word, says))
    older = tuple(EntryView(NOW - n, "judged", word, "info", says, Who(says)) for n in range(entries))
    question = view.question and replace(view.question, asks=says, evidence=word)
    view = replace(
        view,
        says=says,
        reason=word,
        holds=(word, says),
        timeline=(newest, *older),
        question=question,
        unknown=(says, word, says),
        then=word,
    )
    lines = release_lines(view, width, height, NOW, ZONE)
    assert len(lines) <= height
    assert all(width_of(each) <= width for each in lines)
    shown = [plain(each) for each in lines]
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for each in shown for sign in each)
    assert any(each.startswith("14:41") and "newes" in each for each in shown), shown
    if question:
        assert any(each.startswith("? 8 h left") for each in shown), shown


@given(text=WORDS, width=st.integers(0, 60), most=st.integers(1, 5))
def test_texts_are_cut_padded_and_wrapped_by_cells(text: str, width: int, most: int) -> None:
    text = clean(text)
    assert width_of(line(cut(text, width))) <= width
    assert width_of(line(padded(text, width))) == width
    lines = wrapped(text, max(width, 1), most)
    assert len(lines) <= most
    assert all(width_of(line(each)) <= max(width, 1) for each in lines)
    assert width_of(fitted(line(text, text), width)) <= width


@given(WORDS)
def test_a_text_loses_nothing_where_there_is_room(text: str) -> None:
    text = clean(text)
    assert " ".join(wrapped(text, 1000, 2)) == text
    assert "".join(wrapped(text, 10, 1000)).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text", ["日本語", "e\u0301tude", "한국어", "\uff57\uff49\uff44\uff45", "naïve", "─●○✓✗‖█·├┤…"]
)
def test_cells_are_what_unicode_says(text: str) -> None:
    cells = sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )
    assert width_of(line(text)) == cells


def test_hostile_text_is_text_with_colours_and_without() -> None:
    view = release("release-hostile")
    lines = release_lines(view, 80, 60, NOW, ZONE)
    for each in lines:
        rest = painted(each, colour=False)
        for ours in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
            rest = rest.replace(ours, "")
        assert "\x1b" not in rest
    for said in (*summary_text(view, NOW, ZONE), entry_text(view.timeline[0], ZONE)):
        assert len(said.splitlines()) == 1
        assert not {"\x1b", "\r", "\u202e", "\u2066", "\x07", "\x00"} & set(said)
    # It is shown, not swallowed.
    assert any("[bold red]x[/x]" in plain(each) for each in lines)
    assert "\x1b" in HOSTILE


@pytest.mark.parametrize("name", [name for name in RELEASES if name != "release-hostile"])
def test_every_state_has_a_word(name: str) -> None:
    view = release(name)
    assert view.status.replace("_", " ") in plain(release_lines(view, 80, 24, NOW, ZONE)[0])


@pytest.mark.parametrize("width", [20, 50, 80, 200])
def test_ids_and_commands_are_never_cut(width: int) -> None:
    fleet, service = SAMPLES["fleet"](), SAMPLES["service"]()
    assert isinstance(fleet, FleetView)
    assert isinstance(service, ServiceView)
    said = text(fleet_lines(fleet, width, NOW, ZONE))
    assert all(cell.release in said for cell in fleet.cells)
    assert all(need.command in said for need in fleet.needs)
    said = text(service_lines(service, width, NOW, ZONE))
    assert all(each.id in said for each in service.releases)


def test_what_is_not_known_is_never_shown_as_well() -> None:
    said = text(release_lines(release("release-cannot-tell"), 120, 40, NOW, ZONE))
    assert "Pods ?" in said
    assert "10% wanted" in said
    assert "? no numbers from Prometheus since 14:31" in said
