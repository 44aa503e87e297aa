"""What a month will have cost: what is billed, plus the rates times the hours that are left.

Two rates are read from the last weeks: what a day costs anyway, and what an hour awake adds.
Medians (Theil-Sen: the median of all slopes between two days) keep single days from bending them:
a charge that comes once a month, a day whose tags were lost. Source of the estimator: P. K. Sen,
"Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968).

Unknown is not zero. A day that the bill does not show yet, or whose cost went to nobody because
tags were missing, is filled in from the rates, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median

from candlefish.cost.model import Bill, Forecast, Rates

Hours = Callable[[date], float]

# Days that rates are read from, and how few are enough.
HISTORY, ENOUGH = 28, 4
# Cost Explorer completes a day within about a day; before that it is shown in part. Seconds.
SETTLES_AFTER = 36 * 3600.0
# A day this far below what was to be expected, for which others' untagged cost rose, has lost its tags.
LOST_BELOW = 0.6
# A charge on the first that is this many times a day counts as one that comes every month.
MONTHLY_ABOVE = 0.5
MAD_TO_SIGMA = 1.4826


def forecast(bill: Bill, environment: str, hours: Hours, now: float) -> Forecast:
    """The current month of one environment.

    Parameters
    ----------
    hours
        Hours awake of a UTC day: as it was for the past, as scheduled for the future.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    costs = {date.fromisoformat(day): row for day, row in bill.days.items()}
    mine = {day: row[environment] for day, row in costs.items() if environment in row}
    untagged = {date.fromisoformat(day): amount for day, amount in bill.untagged.items()}
    settled = {day: amount for day, amount in mine.items() if _settled(day, now)}
    rates = _rates(settled, untagged, hours)
    lost = set(_lost(settled, untagged, rates, hours))
    monthly = _monthly(settled, rates, hours, today)

    spent = total = 0.0
    guessed: list[str] = []
    notes: list[str] = []
    for day in _month(today):
        shown, expected = mine.get(day, 0.0), rates.of(hours(day)) + (monthly if day.day == 1 else 0.0)
        spent += shown
        if day in settled and day not in lost:
            total += shown
            continue
        # What is shown of a day is spent, however little was expected.
        total += max(shown, expected)
        if day < today:
            guessed.append(day.isoformat())
    if lost & set(_month(today)):
        amount = sum(rates.of(hours(day)) - settled[day] for day in lost if day.month == today.month)
        notes.append(f"about ${amount:.0f} carry no environment tag; it is counted here all the same")
    if monthly and date(today.year, today.month, 1) not in settled:
        notes.append(f"${monthly:.0f} are expected once, on the first")
    if rates.days < ENOUGH:
        notes.append(f"only {rates.days} days are billed so far; this is a rough guess")
    unknown = len(guessed) + sum(1 for day in _month(today) if day >= today)
    margin = 2 * rates.spread * unknown**0.5
    return Forecast(
        environment=environment,
        month=f"{today:%Y-%m}",
        spent=round(spent, 2),
        total=round(total, 2),
        low=round(max(spent, total - margin), 2),
        high=round(total + margin, 2),
        rates=rates,
        guessed=tuple(guessed),
        notes=tuple(notes),
    )


def _rates(settled: Mapping[date, float], untagged: Mapping[date, float], hours: Hours) -> Rates:
    recent = sorted(settled)[-HISTORY:]
    rough = _fit({day: settled[day] for day in recent}, hours)
    # Once more without the days that lost their tags.
    lost = set(_lost({day: settled[day] for day in recent}, untagged, rough, hours))
    return _fit({day: settled[day] for day in recent if day not in lost}, hours)


def _fit(costs: Mapping[date, float], hours: Hours) -> Rates:
    if not costs:
        return Rates(0.0, 0.0, 0.0, 0, False)
    points = [(hours(day), amount) for day, amount in costs.items()]
    slopes = [
        (later - earlier) / (more - less)
        for index, (less, earlier) in enumerate(points)
        for more, later in points[index + 1 :]
        if abs(more - less) >= 1
    ]
    known = len(slopes) >= 3
    hourly = max(0.0, median(slopes)) if known else 0.0
    fixed = max(0.0, median(amount - hourly * awake for awake, amount in points))
    miss = median(abs(amount - fixed - hourly * awake) for awake, amount in points)
    return Rates(fixed, hourly, MAD_TO_SIGMA * miss, len(points), known)


def _lost(
    settled: Mapping[date, float], untagged: Mapping[date, float], rates: Rates, hours: Hours
) -> Iterator[date]:
    """Days whose cost went, at least in good part, to what carries no tag."""
    usual = median(untagged.get(day, 0.0) for day in settled) if settled else 0.0
    for day, amount in settled.items():
        missing = rates.of(hours(day)) - amount
        risen = untagged.get(day, 0.0) - usual
        if amount < LOST_BELOW * rates.of(hours(day)) and risen >= missing / 2:
            yield day


def _monthly(settled: Mapping[date, float], rates: Rates, hours: Hours, today: date) -> float:
    """What comes on top on the first of each month, as earlier months show it."""
    extra = [
        amount - rates.of(hours(day))
        for day, amount in settled.items()
        if day.day == 1 and (day.year, day.month) != (today.year, today.month)
    ]
    if not extra:
        return 0.0
    typical = median(extra)
    return typical if typical > MONTHLY_ABOVE * rates.of(24) else 0.0


def _settled(day: date, now: float) -> bool:
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return end.timestamp() + SETTLES_AFTER <= now


def _month(today: date) -> list[date]:
    first = today.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return [first + timedelta(days=offset) for offset in range((after - first).days)]
