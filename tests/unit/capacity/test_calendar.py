"""The calendar by behaviour: precedence, the clock's jumps, holidays, overrides, decisions."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise, permutations
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.capacity.calendar import Timetable, agenda, desired_state, spans, timetable
from candlefish.capacity.model import OverrideKind, ScheduleOverride
from candlefish.catalog.hours import parse_rule
from candlefish.catalog.model import Calendar, Cost, Environment, Schedule
from candlefish.errors import Misconfigured, NotAllowed

LA = "America/Los_Angeles"
WORKDAYS = "Mon-Fri 07:00-20:00"


def table(*rules: str, zone: str = LA, holidays: dict[str, str] | None = None) -> Timetable:
    return Timetable(zone, tuple(parse_rule(rule) for rule in rules), holidays or {})


def at(text: str, zone: str = LA, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def override(kind: OverrideKind, since: str, until: str, by: str = "ada") -> ScheduleOverride:
    return ScheduleOverride(kind, at(since), at(until), by, "demo")


def awake(when: Timetable, text: str, *overrides: ScheduleOverride, fold: int = 0) -> bool:
    return desired_state(when, overrides, at(text, when.zone, fold)).state == "awake"


# --- rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-24 06:59:59", False),
        ("2026-11-24 07:00", True),
        ("2026-11-24 19:59:59", True),
        ("2026-11-24 20:00", False),
        ("2026-11-28 12:00", False),
    ],
)
def test_a_span_has_its_start_and_not_its_end(moment: str, expected: bool) -> None:
    assert awake(table(WORKDAYS), moment) is expected


def test_several_spans_a_day_and_overlapping_rules_add_up() -> None:
    rules = table("Mon-Fri 07:00-12:00", "Mon-Fri 13:00-20:00", "Tue 11:00-14:00")
    assert not awake(rules, "2026-11-23 12:30")
    assert awake(rules, "2026-11-24 12:30")


def test_a_span_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    rules = table("Thu 22:00-06:00", holidays={"2026-11-27": "Black Friday"})
    assert awake(rules, "2026-11-26 23:00")
    assert awake(rules, "2026-11-27 05:59")
    assert not awake(rules, "2026-11-27 06:00")
    assert not awake(rules, "2026-11-26 05:00")


def test_a_holiday_is_off_or_has_hours_of_its_own() -> None:
    thanksgiving = {"2026-11-26": "Thanksgiving"}
    assert not awake(table(WORKDAYS, holidays=thanksgiving), "2026-11-26 12:00")
    special = table(WORKDAYS, "holidays 10:00-14:00", holidays=thanksgiving)
    assert awake(special, "2026-11-26 12:00")
    assert not awake(special, "2026-11-26 08:00")


def test_a_date_decides_over_holiday_and_weekday() -> None:
    rules = table(WORKDAYS, "2026-12-25 09:00-11:00", "2026-11-24 off", holidays={"12-25": "Christmas"})
    assert awake(rules, "2026-12-25 10:00")
    assert not awake(rules, "2026-12-25 12:00")
    assert not awake(rules, "2026-11-24 12:00")
    assert not awake(rules, "2027-12-25 10:00")


def test_off_means_nothing_where_the_same_date_has_hours() -> None:
    assert awake(table("2026-11-24 off", "2026-11-24 10:00-11:00"), "2026-11-24 10:30")


def test_a_leap_day_is_a_day_and_a_yearly_holiday_on_it_comes_every_four_years() -> None:
    rules = table("daily 00:00-24:00", holidays={"02-29": "Leap day"})
    assert not awake(rules, "2028-02-29 12:00")
    assert awake(rules, "2028-02-28 23:59")
    assert awake(rules, "2028-03-01 00:00")
    assert awake(rules, "2027-03-01 12:00")


# --- the clock's jumps --------------------------------------------------------------------


def test_a_start_that_the_clock_skips_is_the_moment_of_the_jump() -> None:
    rules = table("Sun 02:30-05:00")
    assert not awake(rules, "2027-03-14 01:59:59")
    assert awake(rules, "2027-03-14 03:00")


def test_an_end_that_the_clock_skips_is_the_moment_of_the_jump() -> None:
    rules = table("Sat 22:00-02:30")
    assert awake(rules, "2027-03-14 01:59:59")
    assert not awake(rules, "2027-03-14 03:00")


def test_a_start_that_comes_twice_is_the_first_and_has_no_hole() -> None:
    rules = table("Sun 01:30-05:00")
    assert not awake(rules, "2026-11-01 01:29")
    assert awake(rules, "2026-11-01 01:30")
    assert awake(rules, "2026-11-01 01:10", fold=1)


def test_an_end_that_comes_twice_is_the_second() -> None:
    rules = table("Sat 22:00-01:30")
    assert awake(rules, "2026-11-01 01:45")
    assert awake(rules, "2026-11-01 01:29", fold=1)
    assert not awake(rules, "2026-11-01 01:30", fold=1)


def test_a_day_of_23_or_25_hours_is_awake_as_a_whole() -> None:
    for day, hours in (("2027-03-14", 23), ("2026-11-01", 25), ("2026-11-02", 24)):
        (span,) = spans(table("daily 00:00-24:00"), at(f"{day} 12:00"), at(f"{day} 12:01"))
        assert span.end - span.start == hours * 3600


def test_a_day_that_a_zone_skipped_has_no_hours() -> None:
    # Samoa crossed the date line: after Thursday 29 December 2011 came Saturday the 31st.
    samoa = table("Fri 08:00-18:00", zone="Pacific/Apia")
    week = (at("2011-12-26 00:00", samoa.zone), at("2012-01-02 00:00", samoa.zone))
    assert spans(samoa, *week) == []
    assert len(spans(table("Thu,Sat 08:00-18:00", zone=samoa.zone), *week)) == 2


# --- overrides ----------------------------------------------------------------------------


def test_awake_until_eleven() -> None:
    woken = override("wake", "2026-11-24 20:30", "2026-11-24 23:00")
    assert not awake(table(WORKDAYS), "2026-11-24 20:29", woken)
    assert awake(table(WORKDAYS), "2026-11-24 22:59:59", woken)
    assert not awake(table(WORKDAYS), "2026-11-24 23:00", woken)
    assert (
        "woken until Tue 24 Nov 23:00 by ada: demo"
        in desired_state(table(WORKDAYS), [woken], at("2026-11-24 22:00")).reason
    )


def test_the_newer_of_wake_and_sleep_decides_and_the_older_comes_back() -> None:
    woken = override("wake", "2026-11-24 20:00", "2026-11-25 06:00")
    slept = override("sleep", "2026-11-24 22:00", "2026-11-24 23:00")
    for order in permutations([woken, slept]):
        assert awake(table(WORKDAYS), "2026-11-24 21:00", *order)
        assert not awake(table(WORKDAYS), "2026-11-24 22:30", *order)
        assert awake(table(WORKDAYS), "2026-11-24 23:30", *order)


def test_of_two_at_the_same_moment_wake_decides() -> None:
    pair = [override(kind, "2026-11-24 22:00", "2026-11-24 23:00") for kind in ("sleep", "wake")]
    for order in permutations(pair):
        assert awake(table(WORKDAYS), "2026-11-24 22:30", *order)


def test_keep_awake_decides_over_a_newer_sleep() -> None:
    kept = override("keep_awake", "2026-11-24 10:00", "2026-11-25 10:00")
    slept = override("sleep", "2026-11-24 21:00", "2026-11-25 06:00", by="cost guard")
    assert awake(table(WORKDAYS), "2026-11-24 23:00", kept, slept)
    assert not awake(table(WORKDAYS), "2026-11-24 23:00", slept)


def test_a_freeze_leaves_the_answer_and_says_that_nothing_may_change() -> None:
    frozen = override("freeze", "2026-11-24 10:00", "2026-11-25 10:00")
    answer = desired_state(table(WORKDAYS), [frozen], at("2026-11-24 21:00"))
    assert answer.state == "asleep"
    assert answer.frozen == "frozen until Wed 25 Nov 10:00 by ada: demo"


# --- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "reason", "until"),
    [
        ("2026-11-24 12:00", f"awake by {WORKDAYS}", "2026-11-24 20:00"),
        ("2026-11-24 22:00", f"asleep outside {WORKDAYS}", "2026-11-25 07:00"),
        ("2026-11-26 12:00", "Thu 26 Nov is a holiday (Thanksgiving)", "2026-11-27 07:00"),
        ("2026-11-28 12:00", "no hours on Sat 28 Nov", "2026-11-30 07:00"),
    ],
)
def test_every_answer_says_why_and_until_when(moment: str, reason: str, until: str) -> None:
    answer = desired_state(table(WORKDAYS, holidays={"2026-11-26": "Thanksgiving"}), [], at(moment))
    assert reason in answer.reason
    assert answer.until == at(until)


def test_what_never_changes_has_no_until() -> None:
    assert desired_state(table("daily 00:00-24:00"), [], at("2026-11-24 12:00")).until is None


def test_after_the_last_known_holiday_each_answer_says_so() -> None:
    known = msgspec.structs.replace(table(WORKDAYS), known_until="2028-12-31")
    assert "compile the catalog again" not in desired_state(known, [], at("2028-12-31 23:00")).reason
    for moment in ("2029-01-01 12:00", "2029-01-01 23:00", "2029-01-06 12:00"):
        assert (
            "known until 2028-12-31 only: compile the catalog again"
            in desired_state(known, [], at(moment)).reason
        )


# --- from the catalog ---------------------------------------------------------------------


def environment(schedule: Schedule | None, production: bool = False) -> Environment:
    return Environment(
        name="staging",
        account="222222222222",
        region="us-west-2",
        recovery_region="us-east-1",
        cluster="c",
        namespace="n",
        strategy="s",
        cost=Cost(low=1, high=2),
        timezone=LA,
        schedule=schedule,
        production=production,
    )


def test_a_timetable_has_the_days_of_all_its_calendars() -> None:
    calendars = {
        "us": Calendar(name="us", days={"2026-11-26": "Thanksgiving"}, known_until="2028-12-31"),
        "ours": Calendar(name="ours", days={"12-24": "Eve"}),
        "other": Calendar(name="other", days={"11-24": "not here"}),
    }
    made = timetable(
        environment(Schedule(timezone=LA, awake=(WORKDAYS,), holidays=("us", "ours"))), calendars
    )
    assert made.known_until == "2028-12-31"
    assert not awake(made, "2026-11-26 12:00")
    assert not awake(made, "2026-12-24 12:00")
    assert awake(made, "2026-11-24 12:00")


def test_without_a_schedule_it_is_always_awake_and_can_still_be_put_to_sleep() -> None:
    always = timetable(environment(None), {})
    assert awake(always, "2026-11-29 03:00")
    assert not awake(always, "2026-11-29 03:00", override("sleep", "2026-11-29 02:00", "2026-11-29 04:00"))


def test_production_has_no_timetable() -> None:
    for schedule in (None, Schedule(timezone=LA, awake=(WORKDAYS,))):
        with pytest.raises(NotAllowed, match="never sleeps"):
            timetable(environment(schedule, production=True), {})


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(timezone="Mars/Olympus", awake=(WORKDAYS,)),
        Schedule(timezone=LA, awake=("sometimes",)),
        Schedule(timezone=LA, awake=(WORKDAYS,), holidays=("nowhere",)),
    ],
)
def test_a_schedule_that_was_never_checked_is_refused_and_not_guessed(schedule: Schedule) -> None:
    with pytest.raises(Misconfigured, match="candlefish catalog check"):
        timetable(environment(schedule), {})


# --- whatever the schedule ----------------------------------------------------------------

WEEKDAY_RULES = ["Mon-Fri 07:00-20:00", "daily 22:00-06:00", "Sat,Sun 00:00-24:00", "Sun 01:30-03:30"]
OTHER_RULES = ["holidays 10:00-14:00", "2027-03-14 02:30-02:45", "2026-11-01 01:00-02:00", "2028-02-29 off"]
ANY_RULE = st.sampled_from([parse_rule(text) for text in (*WEEKDAY_RULES, *OTHER_RULES)])
ANY_ZONE = st.sampled_from([LA, "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"])
HOLIDAYS = st.sampled_from(["12-25", "2026-11-26", "02-29", "2027-03-14"])
ANY_TABLE = st.builds(
    Timetable,
    zone=ANY_ZONE,
    rules=st.lists(ANY_RULE, max_size=5).map(tuple),
    holidays=st.dictionaries(HOLIDAYS, st.sampled_from(["", "X"])),
)
MOMENTS = st.integers(int(at("2000-01-01 00:00")), int(at("2099-12-31 00:00"))).map(float)
NEAR = st.integers(int(at("2026-10-25 00:00")), int(at("2026-12-31 00:00"))).map(float)
KINDS: st.SearchStrategy[OverrideKind] = st.sampled_from(["wake", "sleep", "keep_awake", "freeze"])
OVERRIDES = st.lists(
    st.builds(ScheduleOverride, KINDS, NEAR, NEAR, st.just("ada"), st.just("demo")), max_size=5
)


@given(ANY_TABLE, OVERRIDES, MOMENTS | NEAR)
def test_it_is_never_undefined(when: Timetable, overrides: list[ScheduleOverride], now: float) -> None:
    answer = desired_state(when, overrides, now)
    assert answer.state in ("awake", "asleep")
    assert answer.reason
    assert answer.until is None or answer.until > now


@given(ANY_TABLE, OVERRIDES, NEAR, st.sampled_from(["wake", "keep_awake", "sleep"]), NEAR)
def test_asking_for_more_never_gives_less(
    when: Timetable, overrides: list[ScheduleOverride], now: float, kind: OverrideKind, until: float
) -> None:
    newest = max([now, *(o.since for o in overrides if o.since <= now)])
    more = [*overrides, ScheduleOverride(kind, newest, until, "bo", "demo")]
    before, after = desired_state(when, overrides, now).state, desired_state(when, more, now).state
    worse = "awake" if kind == "sleep" else "asleep"
    assert not (before != worse and after == worse)


@given(ANY_TABLE, st.sampled_from(WEEKDAY_RULES), NEAR)
def test_more_hours_never_mean_less_time_awake(when: Timetable, text: str, now: float) -> None:
    more = msgspec.structs.replace(when, rules=(*when.rules, parse_rule(text)))
    assert not (
        desired_state(when, [], now).state == "awake" and desired_state(more, [], now).state == "asleep"
    )


@given(ANY_TABLE, OVERRIDES, NEAR, st.randoms())
def test_order_and_repetition_of_what_was_asked_do_not_matter(
    when: Timetable, overrides: list[ScheduleOverride], now: float, random: object
) -> None:
    again = [*overrides, *overrides]
    random.shuffle(again)  # type: ignore[attr-defined]
    first, second = desired_state(when, overrides, now), desired_state(when, again, now)
    assert (first.state, first.until, bool(first.frozen)) == (second.state, second.until, bool(second.frozen))


@given(ANY_TABLE, OVERRIDES, NEAR)
def test_an_agenda_has_no_gaps_and_says_what_desired_says(
    when: Timetable, overrides: list[ScheduleOverride], now: float
) -> None:
    stretches = agenda(when, overrides, now, now + 14 * 86400)
    assert (stretches[0].start, stretches[-1].end) == (now, now + 14 * 86400)
    assert all(a.end == b.start for a, b in pairwise(stretches))
    for stretch in stretches:
        for moment in (stretch.start, (stretch.start + stretch.end) / 2, stretch.end - 1):
            assert desired_state(when, overrides, moment).state == stretch.state
