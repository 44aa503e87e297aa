"""`candlefish schedule`: the coming days as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from candlefish.capacity.calendar import Timetable
from candlefish.capacity.model import ScheduleOverride
from candlefish.catalog.hours import parse_rule
from candlefish.errors import NotAllowed, UnknownService
from cli import schedule
from cli.schedule import bar, days_of, schedule_command
from tests.support.catalogs import FIXTURES

LA = "America/Los_Angeles"


def table(*rules: str, zone: str = LA, holidays: dict[str, str] | None = None) -> Timetable:
    return Timetable(zone, tuple(parse_rule(rule) for rule in rules), holidays or {})


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(LA)).timestamp()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        schedule_command, ["--folder", str(FIXTURES), *arguments], env={"COLUMNS": "120"}
    )


def row(output: str, day: str) -> str:
    return next(line for line in output.splitlines() if f"│ {day}" in line)


def test_fourteen_days_with_hours_holidays_and_weekends() -> None:
    result = run("-e", "development", "--from", "2026-11-24")
    assert result.exit_code == 0
    assert "07:00-20:00" in row(result.output, "Tue 24 Nov")
    assert "·" * 7 + "█" * 13 + "·" * 4 in row(result.output, "Tue 24 Nov")
    assert "holiday (Thanksgiving Day)" in row(result.output, "Thu 26 Nov")
    assert "no hours" in row(result.output, "Sat 28 Nov")
    assert "Mon 07 Dec" in result.output
    assert "Tue 08 Dec" not in result.output
    assert "104 of 336 hours awake, 69% asleep" in result.output


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    file = tmp_path / "pictures" / "schedule.png"
    result = run("-e", "staging", "--from", "2026-12-20", "--plot", str(file))
    assert result.exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 5_000


def test_production_and_unknown_environments_are_refused() -> None:
    assert isinstance(run("-e", "production").exception, NotAllowed)
    assert isinstance(run("-e", "develpment").exception, UnknownService)


def test_what_was_asked_for_counts_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (ScheduleOverride("wake", at("2026-11-28 10:00"), at("2026-11-28 12:30"), "ada", "demo"),)
    monkeypatch.setattr(schedule, "_asked_for", lambda environment: asked)
    without = run("-e", "staging", "--from", "2026-11-28")
    assert "no hours" in row(without.output, "Sat 28 Nov")
    assert "By the catalog alone" in without.output
    live = run("-e", "staging", "--from", "2026-11-28", "--live")
    assert "10:00-12:30" in row(live.output, "Sat 28 Nov")
    assert "woken until" in live.output
    assert "By the catalog alone" not in live.output


def hours(
    rules: Timetable, day: str, overrides: Sequence[ScheduleOverride] = ()
) -> list[tuple[float, float]]:
    return days_of(rules, overrides, date.fromisoformat(day), 1)[0].awake


def test_a_night_over_midnight_shows_on_both_days() -> None:
    night = table("Thu 22:00-06:30")
    assert hours(night, "2026-11-26") == [(22, 24)]
    assert hours(night, "2026-11-27") == [(0, 6.5)]


def test_days_of_23_and_25_hours_still_have_a_clock_of_24() -> None:
    always = table("daily 00:00-24:00")
    for day in ("2027-03-14", "2026-11-01"):
        assert hours(always, day) == [(0, 24)]
    assert hours(table("Sun 02:30-05:00"), "2027-03-14") == [(3, 5)]


def test_hours_that_touch_are_shown_as_one_and_asked_for_ones_are_marked() -> None:
    asked = [ScheduleOverride("wake", at("2026-11-24 18:00"), at("2026-11-24 22:00"), "ada", "demo")]
    (day,) = days_of(table("Tue 07:00-20:00"), asked, date(2026, 11, 24), 1)
    assert day.awake == [(7, 22)]
    assert day.asked == [(18, 22)]
    assert day.reasons == ["Tue 07:00-20:00", "woken until Tue 24 Nov 22:00 by ada: demo"]


def test_a_part_of_an_hour_is_half_a_block() -> None:
    (day,) = days_of(table("Tue 07:30-09:00"), [], date(2026, 11, 24), 1)
    assert bar(day) == "·" * 7 + "▌█" + "·" * 15


def test_a_day_that_the_zone_skipped_is_not_shown() -> None:
    shown = days_of(table("daily 08:00-18:00", zone="Pacific/Apia"), [], date(2011, 12, 29), 3)
    assert [day.day.day for day in shown] == [29, 31]
