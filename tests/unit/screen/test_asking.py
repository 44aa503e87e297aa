"""Keys on the screen of a release: what is asked before anything is sent, what is refused, and what is always seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.views.model import ReleaseView
from cli.looking import Look
from cli.screen.asking import Screen, Send, evidence_lines, pressed, settled
from cli.screen.cells import plain, width_of
from cli.screen.terminal import keys_of
from cli.screen.train import Car, TrainView, train_lines, train_text
from cli.screen.watching import Seen, frame
from tests.support.screens import ZONE
from tests.support.views import NOW, SAMPLES

RELEASES = [name for name in SAMPLES if name.startswith("release-")]


def release(name: str = "release-question") -> ReleaseView:
    view = SAMPLES[name]()
    assert isinstance(view, ReleaseView)
    return view


def typed(view: ReleaseView | None, *keys: str, state: Screen | None = None) -> tuple[Screen, list[object]]:
    """The state after keys, and everything that was to be done."""
    state = state or Screen()
    effects: list[object] = []
    for key in keys:
        state, effect = pressed(state, key, view)
        effects += [effect] if effect else []
    return state, effects


def shown(view: ReleaseView, state: Screen, width: int = 80, height: int = 24) -> list[str]:
    return [plain(each) for each in frame(Seen(Look(view.id, view)), state, width, height, NOW, ZONE)]


def test_an_action_says_what_it_does_asks_why_and_is_sent_once() -> None:
    view = release()
    state, effects = typed(view, "d")
    assert not effects
    said = "\n".join(shown(view, state))
    assert "deny? 100% to 1.0.0 within seconds" in said
    assert "Enter sends it, Esc does nothing" in said
    state, effects = typed(view, "enter", state=state)
    assert not effects
    assert "say why" in "\n".join(shown(view, state))
    state, effects = typed(view, *"nö x", "backspace", "enter", state=state)
    assert effects == [Send("deny", "nö")]
    assert state.sending
    # Nothing can be asked for while it is on its way, and that it is stays to be read.
    state, effects = typed(view, "a", "enter", state=state)
    assert not effects
    assert "deny: sending" in "\n".join(shown(view, state))


def test_an_approval_needs_no_reason_and_esc_sends_nothing() -> None:
    view = release()
    assert typed(view, "a", "enter")[1] == [Send("approve", "")]
    state, effects = typed(view, "r", *"oh", "esc")
    assert effects == []
    assert "nothing was sent" in "\n".join(shown(view, state))


def test_whoever_may_not_is_told_why_and_who_can() -> None:
    view = release("release-question-own")
    assert typed(view, "a", "enter")[1] == []
    state, _ = typed(view, "a")
    said = " ".join(" ".join(shown(view, state)).split())
    assert "developer asked for it: somebody else must answer" in said
    assert "platform-lead (approver)" in said


@pytest.mark.parametrize("name", RELEASES)
def test_only_what_can_be_done_has_a_key(name: str) -> None:
    view = release(name)
    names = {each.name for each in view.actions}
    said = "\n".join(shown(view, Screen()))
    for key, action in (
        ("a approve", "approve"),
        ("d deny", "deny"),
        ("p pause", "pause"),
        ("m promote now", "promote"),
    ):
        assert (f"{key}" in said) is (action in names), (name, key)
    assert "q leave" in said


def test_letters_are_letters_while_a_reason_is_typed() -> None:
    state, effects = typed(release(), "r", *"quite bad, really")
    assert (effects, state.reason) == ([], "quite bad, really")


def test_leaving_and_evidence() -> None:
    view = release()
    assert typed(view, "q")[1] == ["leave"]
    assert typed(None, "q")[1] == ["leave"]
    state, _ = typed(view, "e")
    said = "\n".join(shown(view, state))
    assert "how it was decided, lines 1 to" in said
    assert "odds_ratio: 1.14" in said
    state, _ = typed(view, *["page-down"] * 50, state=state)
    state = settled(state, view, 80, 24)
    assert view.id in "\n".join(shown(view, state))
    down, _ = typed(view, "up", state=state)
    assert down.down == state.down - 1
    back, _ = typed(view, "e", state=state)
    assert not back.evidence


@given(
    name=st.sampled_from(RELEASES),
    width=st.integers(20, 200),
    height=st.integers(6, 60),
    keys=st.lists(
        st.sampled_from([*"adpmreqxyz日", "enter", "esc", "backspace", "up", "page-down"]), max_size=30
    ),
)
def test_whatever_is_pressed_the_screen_holds(name: str, width: int, height: int, keys: list[str]) -> None:
    view = release(name)
    state, _ = typed(view, *keys)
    lines = frame(Seen(Look(view.id, view)), settled(state, view, width, height), width, height, NOW, ZONE)
    assert len(lines) <= height
    assert all(width_of(each) <= width for each in lines)


@given(st.text(max_size=60))
def test_keys_of_anything_are_keys(text: str) -> None:
    assert all(
        (len(key) == 1 and key.isprintable()) or (key.isascii() and len(key) > 1) for key in keys_of(text)
    )


def test_keys() -> None:
    assert keys_of("aé\r\x7f\x1b[A\x1b[6~\x1b[1;5C\x1b") == [
        "a",
        "é",
        "enter",
        "backspace",
        "up",
        "page-down",
        "esc",
    ]


def test_hostile_evidence_is_text() -> None:
    for each in evidence_lines(release("release-hostile"), 80):
        assert not {"\x1b", "\r", "\n", "\u202e", "\x07"} & set(plain(each))


def test_what_was_lost_is_said_above_and_the_last_is_kept() -> None:
    view = release("release-canary")
    lines = frame(Seen(Look(view.id, view), "it did not answer", NOW), Screen(), 80, 24, NOW, ZONE)
    said = [plain(each) for each in lines]
    assert said[0].startswith("? not known since 14:41:03: it did not answer")
    assert said[1].startswith("backend-api")


def test_before_it_has_begun() -> None:
    lines = frame(Seen(Look("website-1")), Screen(), 80, 24, NOW, ZONE)
    assert plain(lines[0]) == "● website-1 has been asked for, and begins"
    assert plain(lines[-1]).endswith("q leave (it goes on)")


def train(cars: int = 3) -> TrainView:
    done = release("release-promoted-in-window")
    now = release("release-train-member")
    rest = tuple(Car(f"service-{n}") for n in range(cars))
    return TrainView(
        "train-1", "production", "under way", "", NOW - 100, (Car("search", done), Car("gateway", now), *rest)
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 24), (200, 50), (30, 12)])
@pytest.mark.parametrize("cars", [1, 30])
def test_a_train_has_a_line_a_service_and_the_newest_entry(width: int, height: int, cars: int) -> None:
    lines = train_lines(train(cars), width, height, NOW, ZONE)
    assert len(lines) <= height
    assert all(width_of(each) <= width for each in lines)
    said = [plain(each) for each in lines]
    assert any("gateway" in each and "held" in each for each in said[: height // 2 + 1])
    assert any(each.startswith("14:41") for each in said)


def test_a_train_ends_with_a_line_a_service() -> None:
    said = train_text(train(1))
    assert [line[0] for line in said[:-1]] == ["✓", "!", "○"]
    assert said[-1] == "train-1 under way: search, gateway, service-0"
