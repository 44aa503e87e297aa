"""What a month cost, against its target, and what sleeping saved: pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from candlefish.capacity.model import CapacityRecord
from candlefish.catalog.model import Catalog, Environment
from candlefish.cost.model import Bill, CostReport
from candlefish.cost.outlook import outlook
from candlefish.cost.savings import day_bounds, naps_of, savings


def report_of(
    bill: Bill, environment: Environment, catalog: Catalog, record: CapacityRecord, now: float
) -> CostReport:
    """The month that ended last."""
    name = environment.name
    last = datetime.fromtimestamp(now, UTC).date().replace(day=1) - timedelta(days=1)
    days = _days(last)
    before_days = _days(days[0] - timedelta(days=1))
    covered = before_days[0].isoformat() >= bill.first
    return CostReport(
        environment=name,
        month=f"{last:%Y-%m}",
        spent=_sum(bill.days, name, days),
        low=environment.cost.low if environment.cost else None,
        high=environment.cost.high if environment.cost else None,
        before=_sum(bill.days, name, before_days) if covered else None,
        savings=savings(
            naps_of(record, now),
            outlook(bill, environment, catalog, record, now).forecast.rates,
            day_bounds(days[0])[0],
            day_bounds(last)[1],
        ),
        untagged=round(sum(bill.untagged.get(day.isoformat(), 0.0) for day in days), 2),
        missing=tuple(day.isoformat() for day in days if name not in bill.days.get(day.isoformat(), {})),
    )


def _days(last: date) -> list[date]:
    return [last.replace(day=number) for number in range(1, last.day + 1)]


def _sum(rows: dict[str, dict[str, float]], environment: str, days: list[date]) -> float:
    return round(sum(rows.get(day.isoformat(), {}).get(environment, 0.0) for day in days), 2)
