"""See what an environment costs this month, against its target."""

from __future__ import annotations

from candlefish.capacity.model import CapacityRecord
from candlefish.cost.model import CostOutlook
from candlefish.cost.outlook import outlook
from candlefish.cost.ports import BillStore
from candlefish.views.model import CostView, SpentView, Tone
from candlefish.views.ports import Looking
from candlefish.views.words import DAY, spelled

# A bill that is older says nothing of today: one is read each day.
BILL_OLD = 3 * DAY
_TONES: dict[str, Tone] = {"none": "good", "warn": "warning", "propose": "bad", "sleep": "bad"}


def see_cost(*, looking: Looking, bills: BillStore) -> CostView:
    """The forecast of the newest bill that was kept; Cost Explorer is not asked, which takes a cent a page."""
    now, environment = looking.now(), looking.catalog.environment(looking.environment)
    low = environment.cost.low if environment.cost else None
    high = environment.cost.high if environment.cost else None
    bill = bills.read()
    if bill is None:
        says = "no bill was read yet: the next one is tomorrow morning"
        return CostView(now, says, "unknown", None, None, low, high, None, 0.0, environment.name)
    record = looking.capacity.get() if looking.capacity else CapacityRecord(environment.name)
    seen = outlook(bill, environment, looking.catalog, record, now)
    says, tone = _says(seen, low, high)
    if now - bill.fetched_at > BILL_OLD:
        says, tone = f"{says}; the bill is of {spelled(now - bill.fetched_at)} ago", "unknown"
    return CostView(
        now,
        says,
        tone,
        seen.forecast.spent,
        seen.forecast.total,
        low,
        high,
        None if environment.production else seen.savings.amount,
        bill.fetched_at,
        environment.name,
        seen.forecast.month,
        seen.forecast.low,
        seen.forecast.high,
        seen.decision.evidence.get("share"),
        seen.savings.hours_asleep,
        seen.decision.reason,
        seen.forecast.notes,
        tuple(
            SpentView(day, costs.get(environment.name, 0.0))
            for day, costs in sorted(bill.days.items())
            if day.startswith(seen.forecast.month)
        ),
    )


def _says(seen: CostOutlook, low: float | None, high: float | None) -> tuple[str, Tone]:
    forecast, saved = seen.forecast, seen.savings.amount
    if not forecast.rates.days:
        return seen.decision.reason, "unknown"
    says = f"{forecast.total:,.0f} dollars this month by forecast"
    tone = _TONES[seen.decision.action]
    if high is None:
        says, tone = f"{says}; the catalog names no target", "info"
    elif forecast.total > high:
        says = f"{says}: {forecast.total - high:,.0f} over the {high:,.0f} of the target"
    elif low is not None and forecast.total < low:
        says = f"{says}: less than the {low:,.0f} it should cost at least"
    else:
        says = f"{says}: inside {low or 0:,.0f} to {high:,.0f}"
    return (f"{says}; sleeping saved {saved:,.0f}" if saved else says), tone
