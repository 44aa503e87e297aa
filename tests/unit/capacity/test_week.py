"""The week that `candlefish lab week` shows, with both changes of the clock."""

from __future__ import annotations

from datetime import date

import pytest

from lab.nights.week import HOUR, Prices, run_week
from tests.support.catalogs import catalog

CATALOG = catalog()
AUTUMN, SPRING, PLAIN = date(2026, 10, 26), date(2027, 3, 8), date(2026, 11, 30)


@pytest.mark.parametrize("monday", [AUTUMN, SPRING], ids=["clock goes back", "clock goes forward"])
@pytest.mark.parametrize("name", ["development", "staging"])
def test_every_morning_of_a_difficult_week_is_byte_for_byte_the_evening(name: str, monday: date) -> None:
    week = run_week(CATALOG, monday, name)
    assert [night.exact for night in week.nights] == [True] * 4
    incidents = [incident for night in week.nights for incident in night.incidents]
    assert len(incidents) == 5
    assert week.killed == 2
    # Tuesday night lasts until Thursday: Wednesday is a holiday. Friday's until Monday.
    lengths = [(night.woke - night.fell_asleep) / HOUR for night in week.nights]
    assert lengths[1] > 24
    assert lengths[3] > 48
    assert week.hours_asleep > 80
    assert week.saved(Prices()) > 20


def test_the_change_of_the_clock_makes_the_weekend_an_hour_longer_or_shorter() -> None:
    weekend = {
        monday: run_week(CATALOG, monday, "development").nights[3] for monday in (AUTUMN, PLAIN, SPRING)
    }
    hours = {monday: (night.woke - night.fell_asleep) / HOUR for monday, night in weekend.items()}
    assert hours[AUTUMN] - hours[PLAIN] == pytest.approx(1, abs=0.1)
    assert hours[PLAIN] - hours[SPRING] == pytest.approx(1, abs=0.1)
