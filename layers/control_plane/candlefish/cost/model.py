"""A bill by day and environment, and what follows from it. Amounts are US dollars, days are UTC."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Bill(msgspec.Struct, frozen=True):
    """What Cost Explorer says: ISO day -> environment -> amount. An environment without a cost is left out.

    `untagged` is what carries no environment tag, by day. `first` to `last` (inclusive) is what was asked for.
    """

    first: str
    last: str
    days: dict[str, dict[str, float]]
    untagged: dict[str, float]
    # Epoch seconds.
    fetched_at: float


class Rates(msgspec.Struct, frozen=True):
    """What an environment costs a day: `fixed`, and `hourly` more for each hour awake.

    `known` is false when every day was as long as every other: then nobody can tell what sleep saves,
    and all of it counts as fixed. `spread` is the typical miss of a day.
    """

    fixed: float
    hourly: float
    spread: float
    days: int
    known: bool

    def of(self, hours: float) -> float:
        """What a day with so many hours awake costs."""
        return self.fixed + self.hourly * hours


class Forecast(msgspec.Struct, frozen=True):
    """What a month will have cost, and what that rests on.

    `spent` is what the bill shows so far. `guessed` are days whose cost the bill does not show (late,
    missing, without tags) and that were filled in from the rates.
    """

    environment: str
    month: str
    spent: float
    total: float
    low: float
    high: float
    rates: Rates
    guessed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class CostDecision(msgspec.Struct, frozen=True):
    """What to do about a forecast, why, and the numbers behind it."""

    action: Literal["none", "warn", "propose", "sleep"]
    reason: str
    evidence: dict[str, Any] = {}


class Savings(msgspec.Struct, frozen=True):
    """What sleeping saved in a month; `amount` is None while it cannot be told."""

    hours_asleep: float
    amount: float | None


class CostOutlook(msgspec.Struct, frozen=True):
    """A day's look at the costs."""

    forecast: Forecast
    decision: CostDecision
    savings: Savings


class CostReport(msgspec.Struct, frozen=True):
    """One environment's past month. Amounts are US dollars."""

    environment: str
    month: str
    spent: float
    # The target's ends; None without a target.
    low: float | None
    high: float | None
    # The month before, for comparison; None when the bill does not reach back.
    before: float | None
    savings: Savings
    untagged: float
    # Days that the bill shows nothing of.
    missing: tuple[str, ...]
