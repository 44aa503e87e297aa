"""Looking whether a response shows in the world."""

from __future__ import annotations

from typing import assert_never

from candlefish.signals.payloads import ActionResult, ResponseVerdict, SignalResponse
from candlefish.signals.ports import SignalPorts
from candlefish.traffic.ports import Rules

# Seconds between two looks at a failover.
FAILOVER_POLL = 5


def verify_response(
    response: SignalResponse, acted: ActionResult, *, ports: SignalPorts, rules: Rules
) -> ResponseVerdict:
    """Look whether the action shows in the world; late is failed."""
    within = float(ports.catalog.responses.guard.verify_within)
    late = ports.now() - acted.at > within
    match response.action:
        case "failover":
            return _verify_failover(acted, late, ports)
        case "hold":
            return _verify_hold(response, ports)
        case "rollback":
            return _verify_rollback(
                response, acted, f"{within:.0f} s after the start" if late else "", ports, rules
            )
        case _:
            assert_never(response.action)


def _verify_hold(response: SignalResponse, ports: SignalPorts) -> ResponseVerdict:
    record = ports.records.get(response.subject)
    held = record.held_for(response.signal.hold_key)
    ended = record.holder is None or record.holder.release != response.release
    if held or ended:
        return ResponseVerdict("done", f"release {response.release} " + ("is held" if held else "is over"))
    return ResponseVerdict("failed", f"the hold on release {response.release} is gone; somebody lifted it")


def _verify_rollback(
    response: SignalResponse, acted: ActionResult, late: str, ports: SignalPorts, rules: Rules
) -> ResponseVerdict:
    record = ports.records.get(response.subject)
    status = ports.journal.read(response.release).status
    # Where Pods are what moves traffic, the rollback's own machine looks at them before it says that it is done.
    wanted = record.weights_by_target_group() if status == "rolled_back" else {}
    seen = rules.read(record.rule) if record.balanced else wanted
    if status in ("rolling_back", "rolled_back") and seen == record.weights_by_target_group():
        return ResponseVerdict("done", f"traffic of {response.subject} is at {dict(record.desired)}")
    execution = ports.executions.status(acted.execution).status
    if execution not in ("RUNNING", "SUCCEEDED"):
        return ResponseVerdict("failed", f"the rollback ended as {execution} ({acted.execution})")
    reason = f"release {response.release} is {status}, the rule has {sorted(seen.values())}"
    return ResponseVerdict("failed", f"{reason} {late}") if late else ResponseVerdict("waiting", reason)


def _verify_failover(acted: ActionResult, late: bool, ports: SignalPorts) -> ResponseVerdict:
    # A refusal shows at once. What runs reports its own outcome: it may take an hour, or ask a person.
    execution = ports.executions.status(acted.execution).status
    if execution in ("FAILED", "ABORTED", "TIMED_OUT"):
        return ResponseVerdict("failed", f"the failover ended as {execution} ({acted.execution})")
    if execution == "SUCCEEDED" or late:
        return ResponseVerdict(
            "done", f"the failover is {execution.lower()}; follow it with: candlefish recovery report"
        )
    return ResponseVerdict("waiting", f"the failover is {execution.lower()}", FAILOVER_POLL)
