"""See what sources signalled, what was decided on it, and what was refused and why."""

from __future__ import annotations

from candlefish.signals.model import LoggedSignal
from candlefish.views.model import SignalsPage, SignalView, Tone
from candlefish.views.ports import Looking, SignalHistory

# How many signals come at once.
SIGNALS = 50
_DONE = {
    "rollback": "its release is rolled back",
    "hold": "its release is held",
    "join": "what is under way answers it",
    "lift": "what it held is let go on",
    "failover": "it fails over",
}
_OUTCOMES = {
    "done": "it took effect",
    "moot": "there was nothing left to do",
    "failed": "it did not take effect",
}


def see_signals(before: str = "", *, looking: Looking, signals: SignalHistory) -> SignalsPage:
    """Part of the log of signals, newest first; `before` is where another part went on.

    Raises
    ------
    InvalidInput
        `before` is none of ours.
    """
    found = signals.lines(SIGNALS, looking.now(), before)
    return SignalsPage(found.older, tuple(signal_view(line) for line in found.lines))


def signal_view(line: LoggedSignal) -> SignalView:
    """A line of the log as people read it."""
    signal, decision = line.signal, line.decision
    status = {"firing": "fires", "resolved": "is over", "unknown": "is not known any more"}[
        signal.alert.status
    ]
    says = f"{signal.name} of {signal.subject} {status}: {_decided(line)}"
    if line.count > 1:
        says = f"{says} ({line.count:,} alike)"
    return SignalView(
        at=line.at,
        name=signal.name,
        severity=signal.severity,
        subject=signal.subject,
        status=signal.alert.status,
        says=says,
        tone=_tone(line),
        decision=decision.gate or decision.action,
        reason=decision.reason,
        release=decision.release,
        evidence={"summary": signal.alert.summary, "do": signal.do, "by": signal.rule, **decision.evidence},
    )


def _decided(line: LoggedSignal) -> str:
    decision = line.decision
    if line.outcome:
        return f"{_OUTCOMES[line.outcome]}: {decision.reason}"
    if decision.gate:
        return f"refused ({decision.gate}): {decision.reason}"
    done = _DONE.get(decision.action)
    return f"{done}: {decision.reason}" if done else decision.reason


def _tone(line: LoggedSignal) -> Tone:
    if line.outcome == "failed":
        return "bad"
    if line.signal.alert.status == "unknown":
        return "unknown"
    if line.signal.alert.status == "resolved" or line.decision.action in ("lift", "join"):
        return "info"
    if line.decision.action in ("rollback", "failover"):
        return "bad"
    return "warning" if line.decision.action == "hold" or line.signal.severity in ("P0", "P1") else "info"
