"""When schedules fire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lab.cron import InvalidSchedule, next_fire

# A Tuesday.
NOW = datetime(2026, 11, 24, 10, 30, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("cron(0 12 * * ? *)", "UTC", "2026-11-24T12:00"),
        ("cron(0 10 * * ? *)", "UTC", "2026-11-25T10:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-24T10:45"),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-11-25T08:00"),
        ("cron(0 8 ? * 1 *)", "UTC", "2026-11-29T08:00"),
        ("cron(0 3 1 1,4,7,10 ? *)", "UTC", "2027-01-01T03:00"),
        ("cron(0 0 L * ? *)", "UTC", "2026-11-30T00:00"),
        ("cron(0 9 ? * MON#1 *)", "UTC", "2026-12-07T09:00"),
        ("cron(0 20 * * ? *)", "America/Los_Angeles", "2026-11-25T04:00"),
        ("at(2026-11-24T20:00:00)", "America/Los_Angeles", "2026-11-25T04:00"),
        ("rate(5 minutes)", "UTC", "2026-11-24T10:35:30"),
    ],
)
def test_next_fire(expression: str, zone: str, expected: str) -> None:
    fires = next_fire(expression, NOW, timezone=zone)
    assert fires == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_rates_run_in_lab_time() -> None:
    fires = next_fire("rate(1 minute)", NOW, time_scale=60)
    assert fires is not None
    assert (fires - NOW).total_seconds() == 1


def test_a_moment_that_has_passed_never_comes() -> None:
    assert next_fire("at(2026-11-24T10:00:00)", NOW) is None
    assert next_fire("cron(0 0 1 1 ? 2020)", NOW) is None


@pytest.mark.parametrize(
    "expression", ["every minute", "rate(0 minutes)", "rate(1 week)", "cron(0 12 * *)", "cron(x 1 * * ? *)"]
)
def test_what_eventbridge_would_refuse_is_refused(expression: str) -> None:
    with pytest.raises(InvalidSchedule):
        next_fire(expression, NOW)
