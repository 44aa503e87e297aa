"""The monthly report: what a month cost, against its target, and what sleeping saved."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec

from candlefish.capacity.ports import CapacityStore
from candlefish.catalog.model import Catalog
from candlefish.cost.model import Savings
from candlefish.cost.ports import BillSource, BillStore
from candlefish.cost.savings import day_bounds, naps_of, savings
from candlefish.cost.watch import bill_of_today, outlook
from candlefish.ports import EventPublisher, Now


class CostReport(msgspec.Struct, frozen=True):
    """One environment's past month. Amounts are US dollars."""

    environment: str
    month: str
    spent: float
    low: float
    high: float
    # The month before, for comparison; None when the bill does not reach back.
    before: float | None
    savings: Savings
    untagged: float
    # Days that the bill shows nothing of.
    missing: tuple[str, ...]


def report_cost(
    environment: str,
    *,
    catalog: Catalog,
    source: BillSource,
    bills: BillStore,
    capacity: CapacityStore,
    events: EventPublisher,
    now: Now,
) -> CostReport:
    """Report the month that ended last, as the event `cost.report`."""
    at = now()
    env, record = catalog.environment(environment), capacity.get()
    bill = bill_of_today(source, bills, at)
    last = datetime.fromtimestamp(at, UTC).date().replace(day=1) - timedelta(days=1)
    days = _days(last)
    spent = _sum(bill.days, environment, days)
    before_days = _days(days[0] - timedelta(days=1))
    covered = before_days[0].isoformat() >= bill.first
    report = CostReport(
        environment=environment,
        month=f"{last:%Y-%m}",
        spent=spent,
        low=env.cost.low,
        high=env.cost.high,
        before=_sum(bill.days, environment, before_days) if covered else None,
        savings=savings(
            naps_of(record, at),
            outlook(bill, env, catalog, record, at).forecast.rates,
            day_bounds(days[0])[0],
            day_bounds(last)[1],
        ),
        untagged=round(sum(bill.untagged.get(day.isoformat(), 0.0) for day in days), 2),
        missing=tuple(
            day.isoformat() for day in days if environment not in bill.days.get(day.isoformat(), {})
        ),
    )
    events.publish(
        "cost.report",
        {
            "environment": environment,
            "title": f"{environment} cost ${spent:.0f} in {report.month}",
            "tone": "good" if spent <= env.cost.high and not report.missing else "warning",
            "reason": words(report),
            "command": f"candlefish cost -e {environment}",
            "report": msgspec.to_builtins(report),
            "at": at,
        },
    )
    return report


def words(report: CostReport) -> str:
    """The report in a few sentences."""
    said = [f"${report.spent:.2f} against a target of ${report.low:.0f} to ${report.high:.0f}"]
    if report.before:
        change = report.spent / report.before - 1
        said.append(f"{abs(change):.0%} {'more' if change > 0 else 'less'} than the month before")
    asleep = f"{report.savings.hours_asleep:.0f} hours asleep"
    if report.savings.amount is None:
        said.append(f"{asleep}; what they saved cannot be told from the bill yet")
    else:
        said.append(f"{asleep} saved about ${report.savings.amount:.0f}")
    if report.untagged >= 1:
        said.append(f"${report.untagged:.2f} in the account carry no environment tag")
    if report.missing:
        said.append(f"the bill shows nothing for {len(report.missing)} days, so this is too little")
    return "; ".join(said)


def _days(last: date) -> list[date]:
    return [last.replace(day=number) for number in range(1, last.day + 1)]


def _sum(rows: dict[str, dict[str, float]], environment: str, days: list[date]) -> float:
    return round(sum(rows.get(day.isoformat(), {}).get(environment, 0.0) for day in days), 2)
