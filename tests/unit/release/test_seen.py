"""What a look of the judge leaves for people: its windows once each, its evidence, and never a reason to fail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from candlefish.analysis.model import Arm, Survey
from candlefish.analysis.standing import Standing, position
from candlefish.errors import Unavailable
from candlefish.release.model import SeenEvidence, SeenWindow
from lab.memory.release import MemoryLooks
from tests.support.analysis import FakeWindows
from tests.support.seen_release import DOWN, FAILING, HEALTHY, Watched


class BrokenLooks(MemoryLooks):
    def keep(self, release: str, seen: SeenEvidence, windows: Sequence[SeenWindow]) -> None:
        raise Unavailable("the table is busy")


def test_each_consumed_window_is_kept_once_with_weight_and_both_versions_counts() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    kept = list(watched.looks.windows["r2"].values())
    assert [(window.old.requests, window.new.requests, window.weight) for window in kept] == [
        (900, 100, 10)
    ] * 4
    assert [window.end - window.start for window in kept] == [60.0] * 4
    assert len({window.start for window in kept}) == 4
    assert all(window.source == "cloudwatch" for window in kept)


def test_the_evidence_is_of_the_newest_look_and_counts_since_the_step_began() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    seen = watched.looks.seen["r2"]
    assert (seen.action, seen.mode, seen.windows) == ("continue", "judge", 4)
    assert (seen.old.requests, seen.old.errors, seen.new.requests, seen.new.errors) == (3600, 8, 400, 0)
    assert seen.at == watched.world.clock.at
    assert seen.favour > 1 and seen.promotes == pytest.approx(20)
    assert seen.position == position(Standing(seen.against, seen.rolls_back, seen.favour, seen.promotes))


def test_a_look_that_rolls_back_leaves_its_evidence_too() -> None:
    seen = Watched().until("judge").judge(FAILING, 3).looks.seen["r2"]
    assert (seen.action, seen.position) == ("rollback", -1.0)
    assert (seen.new.requests, seen.new.errors) == (100, 21)


def test_a_source_that_does_not_answer_is_named_and_nothing_is_made_up() -> None:
    watched = Watched().until("judge").judge(DOWN, 3)
    seen = watched.looks.seen["r2"]
    assert (seen.source, seen.silent, seen.position) == ("", ("cloudwatch",), None)
    assert watched.looks.windows["r2"] == {}


@pytest.mark.parametrize("source", [HEALTHY, FAILING], ids=["healthy", "failing"])
def test_what_people_see_decides_nothing_when_it_cannot_be_kept(source: FakeWindows) -> None:
    whole, broken = Watched().until("judge"), Watched().until("judge")
    broken.looks = BrokenLooks()
    whole.judge(source, 4)
    broken.judge(source, 4)
    assert broken.judgements.known == whole.judgements.known
    kinds = [watched.world.journal.kinds("r2") for watched in (whole, broken)]
    assert kinds[0] == kinds[1]


def test_latency_is_told_where_the_edges_tell_it() -> None:
    old = Arm(900, beside={"over:0.05": (900, 500), "over:0.1": (900, 90), "over:0.2": (900, 9)})
    new = Arm(100, beside={"over:0.05": (100, 60), "over:0.1": (100, 20), "over:0.2": (100, 2)})
    source = FakeWindows(always=(old, new))
    source.surveyed = Survey(edges=(0.05, 0.1, 0.2))
    watched = Watched().until("judge").judge(source, 6)
    window = next(iter(watched.looks.windows["r2"].values()))
    assert window.old.p95 is not None and 0.1 < window.old.p95 < 0.2
    assert window.new.p95 is not None and window.new.p95 > window.old.p95
    assert window.new.p50 is not None and 0.05 < window.new.p50 < 0.1
    seen = watched.looks.seen["r2"]
    assert seen.new.p95 == pytest.approx(window.new.p95)
    candidate = next(slot for slot in watched.view().slots if slot.role == "candidate")
    assert candidate.p95 == seen.new.p95


@pytest.mark.parametrize(
    ("standing", "where"),
    [
        (Standing(), 0.0),
        (Standing(favour=4.0, promotes=16.0), 0.5),
        (Standing(favour=1e9, promotes=16.0), 0.99),
        (Standing(against=14.14, rolls_back=200.0, favour=3.0, promotes=20.0), -0.5),
        (Standing(favour=30.0, promotes=20.0, decided="promotes"), 1.0),
        (Standing(against=0.5, rolls_back=200.0, decided="rolls back"), -1.0),
    ],
)
def test_the_evidence_has_a_place_between_two_ends_on_a_logarithmic_scale(
    standing: Standing, where: float
) -> None:
    assert position(standing) == pytest.approx(where, abs=0.001)


def test_a_source_that_falls_silent_is_silent_since_its_last_window() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    last = max(window.end for window in watched.looks.windows["r2"].values())
    assert watched.judge(DOWN, 5).looks.seen["r2"].until == last
    assert watched.view().says == "cannot tell: no numbers from CloudWatch for 6 minutes"
