"""Awake hours as they are written, and the days that calendars expand to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.days_off import Unusable, expand
from candlefish.catalog.hours import WEEKDAYS, parse_rule
from candlefish.catalog.model import Calendar

from .conftest import TODAY


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("Mon-Fri 07:00-20:00", {0, 1, 2, 3, 4}, 420, 1200),
        ("Sat-Mon 07:00-20:00", {5, 6, 0}, 420, 1200),
        ("Mon,Wed,Fri 00:00-24:00", {0, 2, 4}, 0, 1440),
        ("Mon-Wed,Sun 22:00-06:00", {0, 1, 2, 6}, 1320, 1800),
        ("daily 23:59-00:00", set(range(7)), 1439, 1440),
    ],
)
def test_weekday_rules(text: str, days: set[int], start: int, end: int) -> None:
    rule = parse_rule(text)
    assert (rule.kind, set(rule.weekdays), rule.start, rule.end) == ("weekdays", days, start, end)


def test_rules_for_holidays_and_dates() -> None:
    assert (parse_rule("holidays off").kind, parse_rule("holidays off").end) == ("holidays", 0)
    rule = parse_rule("2028-02-29 10:00-14:00")
    assert (rule.kind, rule.day, rule.start, rule.end) == ("date", "2028-02-29", 600, 840)


@pytest.mark.parametrize(
    "text",
    [
        "", "Mon", "07:00-20:00", "Mon-Fri", "Mon-Fri 7-20", "Mon-Fri 07:00", "Funday 07:00-20:00",
        "mon 07:00-20:00", "Mon- 07:00-20:00x", "Mon 24:00-25:00", "Mon 07:60-08:00", "Mon 07:00-24:01",
        "Mon 07:00-07:00", "Mon off", "2026-02-29 off", "2026-13-01 off", "Mon 07:00-12:00,13:00-20:00",
    ],
)  # fmt: skip
def test_hours_nobody_can_mean_say_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="; ") as caught:
        parse_rule(text)
    assert str(caught.value).partition("; ")[2]


@given(st.sampled_from(WEEKDAYS), st.integers(0, 1439), st.integers(0, 1440))
def test_a_span_is_as_long_as_the_clock_says(day: str, start: int, end: int) -> None:
    text = f"{day} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    if start == end:
        with pytest.raises(ValueError, match="whole day"):
            parse_rule(text)
    else:
        rule = parse_rule(text)
        assert 0 < rule.end - rule.start <= 1440
        assert (rule.end - end) % 1440 == 0


def test_a_countrys_holidays_for_three_years() -> None:
    calendar, wrong = expand(Calendar(name="us", country="US", subdivision="CA"), Path(), TODAY)
    assert wrong == []
    assert calendar.known_until == "2028-12-31"
    assert calendar.days["2026-11-26"].startswith("Thanksgiving")
    assert "2027-11-25" in calendar.days
    assert "2028-12-25" in calendar.days
    assert {day[:4] for day in calendar.days} == {"2026", "2027", "2028"}


def test_written_days_win_over_the_countrys() -> None:
    calendar, _ = expand(
        Calendar(name="us", country="US", days={"2026-12-25": "Ours", "12-24": "Eve"}), Path(), TODAY
    )
    assert (calendar.days["2026-12-25"], calendar.days["12-24"]) == ("Ours", "Eve")


def test_days_written_by_hand_are_known_for_ever() -> None:
    written = Calendar(name="ours", days={"02-29": "Leap day"})
    assert expand(written, Path(), TODAY) == (written, [])


EVENT = "BEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{name}\r\n{rest}\r\nEND:VEVENT\r\n"


def ical(folder: Path, *events: str, uid: str = "") -> tuple[Calendar, list[Unusable]]:
    body = "".join(EVENT.format(uid=uid or n, name=f"E{n}", rest=rest) for n, rest in enumerate(events))
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{body}END:VCALENDAR\r\n"
    (folder / "off.ics").write_text(text, encoding="utf-8")
    return expand(Calendar(name="off", ical="off.ics"), folder, TODAY)


def test_an_ical_files_whole_days(tmp_path: Path) -> None:
    calendar, wrong = ical(
        tmp_path,
        "DTSTART;VALUE=DATE:20261223\r\nDTEND;VALUE=DATE:20261226",
        "DTSTART;VALUE=DATE:20270105",
        "DTSTART;VALUE=DATE:20270301\r\nDURATION:P2D",
        "DTSTART;VALUE=DATE:20240601",
        "DTSTART;VALUE=DATE:20270701\r\nSTATUS:CANCELLED",
    )
    assert wrong == []
    assert calendar.days == {
        "2026-12-23": "E0",
        "2026-12-24": "E0",
        "2026-12-25": "E0",
        "2027-01-05": "E1",
        "2027-03-01": "E2",
        "2027-03-02": "E2",
    }
    assert calendar.known_until == "2028-12-31"


def test_an_ical_files_repetitions_and_exceptions(tmp_path: Path) -> None:
    calendar, wrong = ical(
        tmp_path,
        "DTSTART;VALUE=DATE:20200704\r\nRRULE:FREQ=YEARLY\r\nEXDATE;VALUE=DATE:20270704",
        "DTSTART;VALUE=DATE:20200229\r\nRRULE:FREQ=YEARLY",
        "DTSTART;VALUE=DATE:20260115\r\nRRULE:FREQ=MONTHLY;COUNT=2\r\nRDATE;VALUE=DATE:20260620",
        # Begins before the first year and reaches into it.
        "DTSTART;VALUE=DATE:20251231\r\nDTEND;VALUE=DATE:20260102",
        "DTSTART;VALUE=DATE:20260302\r\nRRULE:FREQ=DAILY;UNTIL=20260303",
    )
    assert wrong == []
    assert set(calendar.days) == {
        "2026-07-04", "2028-07-04", "2028-02-29", "2026-01-15", "2026-02-15", "2026-06-20", "2026-01-01",
        "2026-03-02", "2026-03-03",
    }  # fmt: skip


def test_instances_that_were_moved_or_cancelled(tmp_path: Path) -> None:
    """One event in several parts has one UID (RFC 5545, 3.8.4.4)."""
    moved = "RECURRENCE-ID;VALUE=DATE:20270610\r\nDTSTART;VALUE=DATE:20270614\r\nDTEND;VALUE=DATE:20270615"
    cancelled = "RECURRENCE-ID;VALUE=DATE:20280610\r\nDTSTART;VALUE=DATE:20280610\r\nSTATUS:cancelled"
    yearly = "DTSTART;VALUE=DATE:20200610\r\nRRULE:FREQ=YEARLY"
    calendar, wrong = ical(tmp_path, yearly, moved, cancelled, uid="founders")
    assert wrong == []
    assert set(calendar.days) == {"2026-06-10", "2027-06-14"}


@pytest.mark.parametrize(
    ("event", "days"),
    [
        # Many exporters write the first day as the end.
        ("DTSTART;VALUE=DATE:20270903\r\nDTEND;VALUE=DATE:20270903", {"2027-09-03"}),
        ("DTSTART;VALUE=DATE:20270903\r\nDURATION:PT0S", {"2027-09-03"}),
        # An end in UTC, as Google writes it, belongs to events of a time of day; what is meant is plain.
        ("DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=YEARLY;UNTIL=20270201T000000Z", {"2026-01-05", "2027-01-05"}),
        ("DTSTART;VALUE=DATE:20270903\r\nSTATUS:Cancelled", set()),
    ],
)  # fmt: skip
def test_what_exporters_write_is_never_lost_in_silence(tmp_path: Path, event: str, days: set[str]) -> None:
    calendar, wrong = ical(tmp_path, event)
    assert wrong == []
    assert set(calendar.days) == days


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20261223T090000Z\r\nDTEND:20261223T100000Z",
        "DESCRIPTION:no start",
        "DTSTART;VALUE=DATE:20261223\r\nRRULE:FREQ=SOMETIMES",
    ],
)
def test_an_ical_file_that_is_no_calendar_of_days_says_so(tmp_path: Path, event: str) -> None:
    _, wrong = ical(tmp_path, event)
    assert [each.field for each in wrong] == ["ical"]
    assert "off.ics is no calendar of whole days" in wrong[0].what


def test_a_file_that_is_not_ical_says_so(tmp_path: Path) -> None:
    (tmp_path / "off.ics").write_bytes(b"\xff\xfenot a calendar")
    _, wrong = expand(Calendar(name="off", ical="off.ics"), tmp_path, date(2026, 1, 1))
    assert [each.field for each in wrong] == ["ical"]
