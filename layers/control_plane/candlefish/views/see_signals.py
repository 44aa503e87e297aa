"""See what sources signalled, what was decided on it, and what was refused and why."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from candlefish.automation import why_off
from candlefish.bounds import legible
from candlefish.errors import InvalidInput
from candlefish.signals.model import LoggedSignal
from candlefish.signals.record import EVERYTHING, GuardRecord
from candlefish.views.model import Left, SignalsPage, SignalView, Tone
from candlefish.views.people import who_is
from candlefish.views.ports import Looking, SignalHistory, SignalsPortion
from candlefish.views.words import many

# How many signals come at once, at most.
SIGNALS = 50
_DONE = {
    "rollback": "its release is rolled back",
    "hold": "its release is held",
    "join": "what is under way answers it",
    "lift": "what it held is let go on",
    "failover": "it fails over",
}
_STATUSES = {"firing": "fires", "resolved": "is over", "unknown": "is not known any more"}
_OUTCOMES = {
    "done": "it took effect",
    "moot": "there was nothing left to do",
    "failed": "it did not take effect",
}


def see_signals(
    before: str = "",
    limit: str = "",
    *,
    looking: Looking,
    signals: SignalHistory,
    guard: Callable[[], GuardRecord],
) -> SignalsPage:
    """Part of the log of signals, newest first; `before` is where another part went on, `limit` how many are wanted.

    Raises
    ------
    InvalidInput
        `before` is none of ours, or `limit` no number of signals.
    """
    found = signals.lines(_wanted(limit), looking.now(), before)
    page = SignalsPage(found.older, tuple(signal_view(line) for line in found.lines))
    if before:
        return page
    off = why_off(looking.switchboard) if looking.switchboard else ""
    return replace(page, says=_heard(found), automation_off=off, left=_barred(guard(), looking))


def _heard(found: SignalsPortion) -> str:
    if not found.lines:
        return "no signal has come yet"
    alerts = [line.signal.alert for line in found.lines if line.is_current]
    newest = {alert.fingerprint: alert.status for alert in reversed(alerts)}
    fire = sum(status == "firing" for status in newest.values())
    signals = many(len(found.lines), f"{'newest ' * bool(found.older)}signal")
    return f"{signals} of {many(len(newest), 'alert')}, {fire or 'none'} of which {'fire' if fire > 1 else 'fires'}"


def _wanted(limit: str) -> int:
    if not limit:
        return SIGNALS
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= SIGNALS):
        raise InvalidInput(f"limit must be a number from 1 to {SIGNALS}, and is {legible(limit[:20])!r}")
    return int(limit)


def _barred(guard: GuardRecord, looking: Looking) -> tuple[Left, ...]:
    """What is muted, and what may not be done again yet."""
    now = looking.now()
    muted = [
        Left(
            "mute",
            mute.until,
            f"{'everything' if mute.about == EVERYTHING else mute.about} is muted by "
            f"{who_is(mute.by, looking.catalog, looking.environment).name}: {mute.reason}",
        )
        for mute in guard.mutes
        if mute.until > now
    ]
    cooling = [
        Left("cooldown", claim.until, f"{claim.action} of {claim.about} cools down")
        for claim in guard.claims
        if claim.until > now
    ]
    return (*muted, *cooling)


def signal_view(line: LoggedSignal) -> SignalView:
    """A line of the log as people read it."""
    signal, decision = line.signal, line.decision
    says = _decided(line)
    if signal.name not in decision.reason:
        of = f" of {signal.thing}" if signal.thing not in ("", signal.name) else ""
        says = f"{signal.name}{of} {_STATUSES[signal.alert.status]}: {says}"
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
        about=signal.about,
        acted=decision.action != "none",
        count=line.count,
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
