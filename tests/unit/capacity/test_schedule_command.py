"""`candlefish schedule`: the coming days as people see them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner, Result

from candlefish.capacity.calendar import Timetable, agenda
from candlefish.capacity.model import ScheduleOverride
from candlefish.catalog.hours import parse_rule
from candlefish.errors import UnknownService
from candlefish.views.model import CalendarView, DayView
from cli.schedule import schedule_command
from cli.screen.calendar import bar, days_of, total
from cli.stack import Stack
from cli.views import Views
from tests.support.catalogs import FIXTURES
from tests.support.views import sample_text

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
    return next(line for line in output.splitlines() if line.startswith(day))


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


def test_production_shows_its_freezes_and_an_unknown_environment_is_refused() -> None:
    shown = run("-e", "production", "--from", "2026-12-01").output
    assert shown.startswith("production never sleeps") and "half the team is away" in shown
    assert isinstance(run("-e", "develpment").exception, UnknownService)


def test_by_the_catalog_alone_it_is_the_same_value_as_the_stack_gives_and_asks_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Stack, "__init__", lambda *given: pytest.fail("a stack was asked for"))
    said = run("-e", "staging", "--from", "2026-11-28", "--json").stdout
    view = msgspec.json.decode(said, type=CalendarView)
    assert view.says.startswith("by the catalog alone staging should be ")
    assert view.days[-1].end - view.days[0].start == 14 * 86400
    assert [each.what for each in view.left] == ["sleep"]


def test_live_is_what_the_stack_shows_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Views, "text", lambda self, path, **query: sample_text("calendar").encode())
    live = run("-e", "staging", "--live")
    assert "Mon-Fri 06:00-22:00" in row(live.output, "Tue 01 Dec")
    assert "By the catalog alone" not in live.output and "checkout sale" in live.output
    assert json.loads(run("-e", "staging", "--live", "--json").stdout) == json.loads(sample_text("calendar"))
    for words in (("--days", "15"), ("--from", "2026-11-28")):
        assert run("-e", "staging", "--live", *words).exit_code == 2


def calendar(
    rules: Timetable, first: str, count: int = 1, asked: Sequence[ScheduleOverride] = ()
) -> CalendarView:
    zone = ZoneInfo(rules.zone)
    day = date.fromisoformat(first)
    begin, end = (
        datetime(each.year, each.month, each.day, tzinfo=zone).timestamp()
        for each in (day, day + timedelta(days=count))
    )
    days = tuple(
        DayView(each.start, each.end, each.state, each.reason) for each in agenda(rules, asked, begin, end)
    )
    return CalendarView(begin, rules.zone, "", days)


def hours(rules: Timetable, day: str) -> list[tuple[float, float]]:
    return days_of(calendar(rules, day), 1)[0].awake


def test_a_night_over_midnight_shows_on_both_days() -> None:
    night = table("Thu 22:00-06:30")
    assert hours(night, "2026-11-26") == [(22, 24)]
    assert hours(night, "2026-11-27") == [(0, 6.5)]


def test_days_of_23_and_25_hours_still_have_a_clock_of_24() -> None:
    always = table("daily 00:00-24:00")
    for day in ("2027-03-14", "2026-11-01"):
        assert hours(always, day) == [(0, 24)]
    assert hours(table("Sun 02:30-05:00"), "2027-03-14") == [(3, 5)]
    assert total(calendar(always, "2027-03-14"), 1) == "23 of 23 hours awake, 0% asleep"


def test_hours_that_touch_are_shown_as_one_with_each_reason() -> None:
    asked = [ScheduleOverride("wake", at("2026-11-24 18:00"), at("2026-11-24 22:00"), "ada", "demo")]
    (day,) = days_of(calendar(table("Tue 07:00-20:00"), "2026-11-24", asked=asked), 1)
    assert day.awake == [(7, 22)]
    assert day.reasons == ["Tue 07:00-20:00", "woken until Tue 24 Nov 22:00 by ada: demo"]


def test_a_part_of_an_hour_is_half_a_block() -> None:
    (day,) = days_of(calendar(table("Tue 07:30-09:00"), "2026-11-24"), 1)
    assert bar(day) == "·" * 7 + "▌█" + "·" * 15


def test_a_day_that_the_zone_skipped_is_not_shown() -> None:
    shown = days_of(calendar(table("daily 08:00-18:00", zone="Pacific/Apia"), "2011-12-29", 3), 3)
    assert [day.day.day for day in shown] == [29, 31]


def test_an_environment_without_hours_has_no_days() -> None:
    assert days_of(CalendarView(0.0, LA, "production never sleeps", ()), 14) == []
