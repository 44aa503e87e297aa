"""What to do about a forecast: nothing, warn, propose to sleep more, or sleep. One pure decision."""

from __future__ import annotations

import math

from candlefish.catalog.model import Cost, Environment
from candlefish.cost.forecast import ENOUGH
from candlefish.cost.model import CostDecision, Forecast

WARN, PROPOSE, SLEEP = 0.8, 1.0, 1.2


def decide_cost(
    forecast: Forecast, environment: Environment, *, scheduled_hours: float, guarded: str
) -> CostDecision:
    """Compare a forecast with the upper end of the environment's target.

    Parameters
    ----------
    scheduled_hours
        Hours awake that are left in the month by schedule.
    guarded
        The month for which the guard put the environment to sleep before: it does so once a month, so
        that a person who overrides it has the last word.
    """
    target = environment.cost
    if target is None:
        return CostDecision(
            "none",
            f"{forecast.environment} will cost about ${forecast.total:.0f} in {forecast.month}; the catalog names no "
            "target (cost), so nobody is told",
            {"forecast": forecast.total, "low": forecast.low, "high": forecast.high, "spent": forecast.spent},
        )
    share = forecast.total / target.high if target.high else math.inf if forecast.total else 0.0
    evidence = {
        "forecast": forecast.total,
        "low": forecast.low,
        "high": forecast.high,
        "spent": forecast.spent,
        "target": target.high,
        "share": round(share, 3) if math.isfinite(share) else None,
        "guessed_days": list(forecast.guessed),
    }
    says = (
        f"{forecast.environment} will cost about ${forecast.total:.0f} in {forecast.month}, "
        f"{share:.0%} of its ${target.high:.0f}"
    )
    if not forecast.rates.days:
        # Unknown is not cheap.
        return CostDecision(
            "warn",
            f"the bill shows nothing of {forecast.environment}: activate the cost allocation tag in Billing, "
            "and tag what the environment is made of",
            evidence,
        )
    if share < WARN:
        return CostDecision("none", says, evidence)
    if share < PROPOSE:
        return CostDecision("warn", says, evidence)
    advice = _advice(forecast, target, scheduled_hours)
    may_sleep = not environment.production and environment.schedule is not None
    # Nobody is sent to bed on a rough guess.
    sure = forecast.rates.days >= ENOUGH and forecast.low / target.high >= PROPOSE if target.high else True
    if share < SLEEP or not may_sleep or not sure or guarded == forecast.month:
        return CostDecision("propose", f"{says}; {advice}", evidence)
    return CostDecision(
        "sleep",
        f"{says}: it sleeps until the month ends. Overrule with: "
        f"candlefish wake -e {forecast.environment} --until 8h --reason ...",
        evidence,
    )


def _advice(forecast: Forecast, target: Cost, scheduled_hours: float) -> str:
    over, rates = forecast.total - target.high, forecast.rates
    if not rates.known or not rates.hourly:
        return "what an hour asleep would save cannot be told from the bill yet; look at what it runs"
    hours = over / rates.hourly
    if hours > scheduled_hours:
        return (
            f"even asleep for the rest of the month it would stay ${over - scheduled_hours * rates.hourly:.0f} "
            "over: make it smaller, or raise the target"
        )
    return f"{hours:.0f} of the {scheduled_hours:.0f} hours that are left awake would have to go"
