"""A bill that runs away: people are told, and what may sleep is put to sleep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lab.memory.cost import each_day
from tests.support.simulated_night import ENVIRONMENT, SimulatedNight

# US dollars a day, far above the target of $400-600 a month.
DAILY = 100.0
DAY = 86400.0


@pytest.fixture
def costly(night: SimulatedNight) -> SimulatedNight:
    night.site.stores.source.shown = each_day({ENVIRONMENT: DAILY})
    return night


def test_last_months_report_says_what_was_spent(costly: SimulatedNight) -> None:
    report = costly.site.call("review_costs", {"task": "report"})
    first = datetime.fromtimestamp(costly.site.kernel.now(), UTC).date().replace(day=1)
    days = (first - timedelta(days=1)).day
    assert report["spent"] == pytest.approx(DAILY * days)


def test_what_costs_far_too_much_is_put_to_sleep_until_a_person_wakes_it(costly: SimulatedNight) -> None:
    """The daily look does it on its own."""
    site = costly.site
    costly.until(lambda record: record.guarded != "", "the guard speaks")
    record = costly.phase("asleep")
    assert [(each.kind, each.by) for each in record.overrides] == [("sleep", "cost guard")]
    asked = site.stores.source.asked
    # Once a month: whoever wakes it is not put to sleep again by the same bill.
    assert costly.say("wake", until="2d")[0] == 200
    costly.phase("awake")
    site.run(DAY)
    assert site.stores.source.asked == asked + 1, "a bill is asked for once a day"
    said = (
        "staging costs too much: it sleeps until the month ends",
        "staging will cost more than its target",
    )
    titles = [each.title for each in site.told]
    assert [titles.count(each) for each in said] == [1, 1]
    seen = site.call("review_costs", {"task": "watch"})
    assert seen["decision"]["action"] == "propose", seen
    assert costly.record.phase == "awake"


def test_what_costs_as_planned_is_left_alone(night: SimulatedNight) -> None:
    assert night.site.call("review_costs", {"task": "watch"})["decision"]["action"] in ("none", "warn")
    assert night.record.guarded == ""
