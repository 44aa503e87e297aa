"""Writing down how a response ended."""

from __future__ import annotations

from candlefish.bounds import message_of
from candlefish.signals.model import LoggedSignal, SignalDecision
from candlefish.signals.news import responded_event
from candlefish.signals.payloads import ResponseEnding, SignalResponse
from candlefish.signals.ports import SignalPorts


def close_response(response: SignalResponse, ending: ResponseEnding, *, ports: SignalPorts) -> LoggedSignal:
    """Write down how a response ended and tell people. A failed one is theirs now."""
    now = ports.now()
    signal = response.signal
    # What Step Functions says of a failed function is JSON with a trace.
    reason = message_of(ending.reason)
    line = LoggedSignal(
        now,
        signal,
        SignalDecision(response.action, reason, notify=True, release=response.release),
        response=response.id,
        outcome=ending.outcome,
    )
    ports.log.append([line], ())
    ports.events.publish(*responded_event(response, ending.outcome, reason, now))
    return line
