"""Whole releases in virtual time, entry by entry. The lab tells the same: integration/release/test_both_engines.py."""

from __future__ import annotations

import pytest

from tests.support.scenario import simulated
from tests.support.stories import STORIES, Play

DEPLOYED = "started deployed ready"
AT_TEN = f"{DEPLOYED} smoke_tested scaled ready shifted judged approval_requested"
PROMOTED = f"{AT_TEN} approved scaled ready shifted judged scaled ready shifted judged promoted"
BLUE_GREEN = f"{DEPLOYED} smoke_tested scaled ready shifted judged promoted"
TAKEN_BACK = "rolling_back retired rolled_back"
# How each release of a story ends: its execution, the error, the release, the kinds of its entries.
ENDINGS: dict[str, list[tuple[str, str | None, str, str]]] = {
    "approved": [("SUCCEEDED", None, "promoted", f"{PROMOTED} window_closed retired")],
    "judged_bad": [
        (
            "FAILED",
            "JudgedBad",
            "rolled_back",
            f"{DEPLOYED} smoke_tested scaled ready shifted judged {TAKEN_BACK}",
        )
    ],
    "denied": [("FAILED", "ApprovalDenied", "rolled_back", f"{AT_TEN} denied {TAKEN_BACK}")],
    "unpullable": [("FAILED", "RolloutFailed", "rolled_back", f"started deployed {TAKEN_BACK}")],
    "smoke_fails": [("FAILED", "SmokeTestFailed", "rolled_back", f"{DEPLOYED} {TAKEN_BACK}")],
    "stopped": [("ABORTED", None, "rolled_back", f"{AT_TEN} roll_back {TAKEN_BACK}")],
    "taken_back": [("SUCCEEDED", None, "rolled_back", f"{PROMOTED} {TAKEN_BACK}")],
    "two_at_once": [
        ("FAILED", "ApprovalDenied", "rolled_back", f"{AT_TEN} denied {TAKEN_BACK}"),
        ("FAILED", "ServiceBusy", "refused", "refused"),
    ],
    "same_again": [("FAILED", "AlreadyStable", "refused", "refused")],
    "in_place": [("SUCCEEDED", None, "promoted", f"{DEPLOYED} judged promoted window_closed")],
    "in_place_fails": [
        ("FAILED", "RolloutFailed", "rolled_back", "started deployed rolling_back restored rolled_back")
    ],
    "blue_green": [("SUCCEEDED", None, "promoted", f"{BLUE_GREEN} window_closed retired")],
    "train_arrives": [("SUCCEEDED", None, "promoted", BLUE_GREEN)] * 3,
    "train_fails": [
        ("FAILED", "SmokeTestFailed", "rolled_back", f"{DEPLOYED} {TAKEN_BACK}"),
        *[("SUCCEEDED", None, "rolled_back", f"{BLUE_GREEN} {TAKEN_BACK}")] * 2,
    ],
}
# Versions that are remembered as bad: those that failed, and those that a person took back.
BAD = ("judged_bad", "unpullable", "smoke_fails", "taken_back", "in_place_fails")


@pytest.mark.parametrize(("environment", "service", "play"), STORIES, ids=[p.__name__ for _, _, p in STORIES])
def test_a_release_ends_as_written_down(environment: str, service: str, play: Play) -> None:
    with simulated(environment) as stage:
        endings = play(stage, service)
    found = [
        (each.execution, each.error, each.status, " ".join(line.split()[0] for line in each.timeline))
        for each in endings
    ]
    assert found == ENDINGS[play.__name__]
    for each in endings:
        new = each.status == "promoted" and play.__name__ != "in_place"
        assert each.slot == ("other" if new else "before")
        assert each.weights == {"other": 100 if new else 0, "before": 0 if new else 100}
    assert [each.bad for each in endings] == [
        play.__name__ in BAD or each.error == "SmokeTestFailed" for each in endings
    ]
