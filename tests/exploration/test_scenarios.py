"""Every scenario, as deep as a test may take; `make explore` goes on from there."""

from __future__ import annotations

import re

import pytest

from tests.exploration.__main__ import BEGINS, ENDS, PAGE, Line, table
from tests.exploration.broken import VARIANTS, Variant, broken
from tests.exploration.explore import explore
from tests.exploration.scenarios import SCENARIOS

DEPTH = 4_000
# As far as `make explore` goes: what a fence keeps out is found well before, and ends the hunt.
HUNT = 60_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_goes_wrong(name: str) -> None:
    explored = explore(SCENARIOS[name], most=DEPTH)

    assert not explored.wrong, "\n".join(
        f"{what}:\n  " + "\n  ".join(trace) for what, trace in explored.wrong.items()
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.without)
def test_a_fence_that_is_gone_is_missed(variant: Variant) -> None:
    found: list[str] = []
    for name in variant.scenarios:
        with broken(variant):
            explored = explore(SCENARIOS[name], most=HUNT, stop_at_first=True)
        if explored.broken:
            return
        found.append(f"{name}: {explored.found.states} states")

    pytest.fail(f"nobody misses {variant.without}: {', '.join(found)}")


def test_every_scenario_stands_in_the_documents_as_it_is() -> None:
    counted = PAGE.read_text().partition(BEGINS)[2].partition(ENDS)[0]
    rows = re.findall(r"^\| `(\S+)` \| (.*) \| ([\d,]+(?:, bounded)?) \|$", counted, re.MULTILINE)
    assert [(name, about) for name, about, _ in rows] == [
        (name, each.about) for name, each in SCENARIOS.items()
    ]


def test_the_page_says_what_was_seen_and_what_was_not() -> None:
    line = Line("all", "of it", 1_234, 2, complete=True, seconds=0.1, after=0, wrong={})
    more = Line("more", "than that", 60_000, 2, complete=False, seconds=0.1, after=0, wrong={})
    assert table([line, more]).splitlines()[-3:-1] == [
        "| `all` | of it | 1,234 |",
        "| `more` | than that | 60,000, bounded |",
    ]


def test_the_same_states_are_seen_every_time() -> None:
    once, again = (explore(SCENARIOS["rollback-while-shifting-death"], most=3_000).found for _ in range(2))

    assert (once.states, once.moves, once.rests) == (again.states, again.moves, again.rests)


def test_every_state_of_the_machines_that_the_plan_leads_to_is_visited() -> None:
    visited = set[tuple[str, str]]()
    for name in ("release", "rollback-while-shifting", "unanswered"):
        visited |= explore(SCENARIOS[name], most=30_000).visited

    expected = {
        "release": {
            "Begin",
            "NextStep",
            "Deploy",
            "Ready",
            "Scale",
            "Shift",
            "Promote",
            "StartWatch",
            "RollBack",
        },
        "rollback": {"RestoreTraffic", "StopRelease", "Retire", "LetWritersDie", "Finish"},
        "watch": {"Watch", "Retire"},
    }
    assert {(machine, state) for machine, states in expected.items() for state in states} <= visited
