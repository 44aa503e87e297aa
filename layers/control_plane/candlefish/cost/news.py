"""The words of costs: which events a look at them leads to, and what they say."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.cost.model import CostOutlook, CostReport

TITLES = {
    "warn": ("Look at the costs of {}", "warning"),
    "propose": ("{} will cost more than its target", "warning"),
    "sleep": ("{} costs too much: it sleeps until the month ends", "bad"),
}

Event = tuple[str, dict[str, Any]]


def outlook_events(environment: str, seen: CostOutlook, at: float) -> list[Event]:
    """What is decided about the costs; and that an environment was sent to sleep for them, which it must follow."""
    decision = seen.decision
    if decision.action == "none":
        return []
    detail = {
        "environment": environment,
        "reason": decision.reason,
        "evidence": decision.evidence,
        "by": "cost guard",
        "command": f"candlefish cost -e {environment}",
        "at": at,
    }
    title, tone = TITLES[decision.action]
    events = [(f"cost.{decision.action}", detail | {"title": title.format(environment), "tone": tone})]
    if decision.action == "sleep":
        events.insert(0, ("capacity.asked", detail | {"title": f"{environment} costs too much"}))
    return events


def report_event(report: CostReport, at: float) -> Event:
    """What a month cost."""
    return "cost.report", {
        "environment": report.environment,
        "title": f"{report.environment} cost ${report.spent:.0f} in {report.month}",
        "tone": "good"
        if (report.high is None or report.spent <= report.high) and not report.missing
        else "warning",
        "reason": report_text(report),
        "command": f"candlefish cost -e {report.environment}",
        "report": msgspec.to_builtins(report),
        "at": at,
    }


def report_text(report: CostReport) -> str:
    """The report in a few sentences."""
    target = (
        f" against a target of ${report.low:.0f} to ${report.high:.0f}" if report.high is not None else ""
    )
    parts = [f"${report.spent:.2f}{target}"]
    if report.before:
        change = report.spent / report.before - 1
        parts.append(f"{abs(change):.0%} {'more' if change > 0 else 'less'} than the month before")
    asleep = f"{report.savings.hours_asleep:.0f} hours asleep"
    if report.savings.amount is None:
        parts.append(f"{asleep}; what they saved cannot be told from the bill yet")
    else:
        parts.append(f"{asleep} saved about ${report.savings.amount:.0f}")
    if report.untagged >= 1:
        parts.append(f"${report.untagged:.2f} in the account carry no environment tag")
    if report.missing:
        parts.append(f"the bill shows nothing for {len(report.missing)} days, so this is too little")
    return "; ".join(parts)
