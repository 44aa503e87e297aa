"""The freezes that people asked for in one environment: one value, and every way it may change. Times are epoch seconds."""

from __future__ import annotations

import msgspec

from candlefish.bounds import LONGEST_NOTE, fit
from candlefish.errors import InvalidInput
from candlefish.release.model import AskedFreeze

# As many are written down, those that are over included, for whoever asks what was.
FREEZES_KEPT = 60
# As many may be in force.
MOST_FREEZES = 40


class AskedFreezes(msgspec.Struct, frozen=True):
    """The freezes that people asked for, oldest first; those that are over as long as there is room."""

    environment: str
    revision: int = 0
    freezes: tuple[AskedFreeze, ...] = ()

    def in_force(self, now: float, service: str | None = None) -> tuple[AskedFreeze, ...]:
        """Those that hold now: all, or those that a service is frozen by, the one that lasts longest first."""
        found = [
            each
            for each in self.freezes
            if not each.lifted_by
            and each.since <= now < each.until
            and service in (None, each.service or service)
        ]
        return tuple(sorted(found, key=lambda each: -each.until))


def add_freeze(record: AskedFreezes, freeze: AskedFreeze) -> AskedFreezes:
    """Freeze until a moment; the newest word about a service, or about all, takes the place of the one before.

    Raises
    ------
    InvalidInput
        As many are in force as are written down.
    """
    now = freeze.since
    held = record.in_force(now)
    if any(_same(each, freeze) for each in held):
        return record
    if len(held) >= MOST_FREEZES:
        raise InvalidInput(
            f"{len(held)} freezes are in force in {record.environment}, which is the most; freeze the whole environment"
        )
    freeze = msgspec.structs.replace(freeze, reason=fit(freeze.reason, LONGEST_NOTE))
    others = _lift(record, freeze.service, freeze.by, now).freezes
    over = [each for each in others if each.lifted_by or each.until <= now]
    surplus = set(map(id, over[: max(0, len(others) + 1 - FREEZES_KEPT)]))
    kept = tuple(each for each in others if id(each) not in surplus)
    return msgspec.structs.replace(record, freezes=(*kept, freeze))


def lift_freeze(record: AskedFreezes, service: str, *, by: str, now: float) -> AskedFreezes:
    """End the freeze of a service before its time, or that of all where none is named; of others it says nothing."""
    return _lift(record, service, by, now)


def _same(one: AskedFreeze, other: AskedFreeze) -> bool:
    return (one.service, one.until, one.reason, one.by) == (
        other.service,
        other.until,
        other.reason,
        other.by,
    )


def _lift(record: AskedFreezes, service: str, by: str, now: float) -> AskedFreezes:
    lifted = [each for each in record.in_force(now) if each.service == service]
    if not lifted:
        return record
    freezes = tuple(
        msgspec.structs.replace(each, lifted_by=by, lifted_at=now) if each in lifted else each
        for each in record.freezes
    )
    return msgspec.structs.replace(record, freezes=freezes)
