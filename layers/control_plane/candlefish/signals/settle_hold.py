"""After a hold's cooldown: lifting the holds whose alerts have ended."""

from __future__ import annotations

from candlefish.service.record import ServiceRecord, lift_hold
from candlefish.signals.model import HOLD_PREFIX
from candlefish.signals.news import lifted_event
from candlefish.signals.payloads import SignalResponse
from candlefish.signals.ports import SignalPorts


def settle_hold(response: SignalResponse, *, ports: SignalPorts) -> list[str]:
    """After the cooldown: lift the holds whose alerts have ended; the keys that were lifted.

    What still fires, or lost its data, stays held until it ends or a person says otherwise.
    """
    if ports.switchboard.off():
        return []
    record = ports.records.get(response.subject)
    keys = {h.key.removeprefix(HOLD_PREFIX): h.key for h in record.holds if h.key.startswith(HOLD_PREFIX)}
    known = ports.log.seen(list(keys))
    ended = [
        key
        for fingerprint, key in keys.items()
        if fingerprint in known and known[fingerprint].status == "resolved"
    ]
    if not ended:
        return []

    def change(current: ServiceRecord) -> ServiceRecord:
        for key in ended:
            current = lift_hold(current, key)
        return current

    left = ports.records.update(response.subject, change)
    ports.events.publish(*lifted_event(response, still_held=len(left.holds), at=ports.now()))
    return ended
