"""Freezes: stretches of time in which a release needs break-glass, by the calendar or because a person asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from candlefish.bounds import MaybeName, Sentence, Title
from candlefish.catalog.model import Catalog, Duration, Freeze
from candlefish.catalog.people import require_caller
from candlefish.clock import moment_of
from candlefish.errors import Frozen, InvalidInput
from candlefish.ports import EventPublisher, Now
from candlefish.release.model import AskedFreeze
from candlefish.release.news import freeze_event
from candlefish.release.ports import Freezes
from candlefish.release.record import AskedFreezes, add_freeze, lift_freeze
from candlefish.service.ports import ServiceRecords
from candlefish.until import parse_until

# The longest that a person may ask for, in seconds; what is longer is the calendar's.
LONGEST_FREEZE = 30 * 86400.0


class FreezeCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person sends (see events/freeze.json): freeze, or lift the freeze of, a service; all where none is named.

    `until` as in `parse_until`, or epoch seconds.
    """

    action: Literal["freeze", "lift"] = "freeze"
    service: MaybeName = ""
    until: Title | float = ""
    reason: Sentence = ""


class FreezesInForce(msgspec.Struct, frozen=True):
    """What came of it, in a sentence; what is frozen now; and which releases users see already, which go on."""

    environment: str
    says: str
    freezes: tuple[AskedFreeze, ...]
    going_on: tuple[str, ...] = ()


def freeze(
    command: FreezeCommand,
    *,
    principal: str,
    environment: str,
    catalog: Catalog,
    freezes: Freezes,
    records: ServiceRecords,
    events: EventPublisher,
    now: Now,
) -> FreezesInForce:
    """Freeze releases of a service, or all, at once and until a moment, or lift that, as the person behind `principal`.

    Rollbacks are never frozen, nor is a release that users see already: those are named.

    Raises
    ------
    NotAllowed
        The principal is nobody in the catalog.
    UnknownService
        The catalog does not have the service.
    InvalidInput
        There is no reason, or the moment is none to come or too far away.
    """
    person, at = require_caller(principal, catalog, environment), now()
    if command.service:
        catalog.service(command.service)
    reason = command.reason.strip()
    if not reason:
        raise InvalidInput('"reason" must say something')
    zone = catalog.environment(environment).timezone
    if command.action == "lift":
        return _lift(command, person.name, reason, at, environment, zone, freezes, events)
    until = _moment(command.until, zone, at)
    asked = AskedFreeze(command.service, reason, person.name, at, until)

    def change(record: AskedFreezes) -> tuple[AskedFreezes, bool]:
        after = add_freeze(record, asked)
        return after, after is not record

    after, new = freezes.update(change)
    if new:
        said = f"{reason} (until {local_time(until, zone)})"
        events.publish(*freeze_event("asked", environment, asked.what, said, by=person.name, at=at))
    going = tuple(
        f"{each.holder.release}"
        for each in records.all()
        if each.holder and not each.rollback and command.service in ("", each.service)
    )
    says = f"{asked.what} of {environment} is frozen until {local_time(until, zone)}; rollbacks are not"
    if going:
        says += f". What users see already of {', '.join(going)} goes on: pause or abort it"
    return FreezesInForce(environment, says, after.in_force(at), going)


def _lift(
    command: FreezeCommand,
    by: str,
    reason: str,
    at: float,
    environment: str,
    zone: str,
    freezes: Freezes,
    events: EventPublisher,
) -> FreezesInForce:
    what = command.service or "every service"

    def change(record: AskedFreezes) -> tuple[AskedFreezes, bool]:
        after = lift_freeze(record, command.service, by=by, now=at)
        return after, after is not record

    after, lifted = freezes.update(change)
    left = after.in_force(at)
    if lifted:
        events.publish(*freeze_event("lifted", environment, what, reason, by=by, at=at))
    still = "; ".join(f"{each.what} until {local_time(each.until, zone)}" for each in left)
    says = (
        f"the freeze of {what} in {environment} is lifted"
        if lifted
        else f"nobody froze {what} in {environment}"
    )
    return FreezesInForce(environment, f"{says}; still frozen: {still}" if still else says, left)


def _moment(until: str | float, zone: str, now: float) -> float:
    if until == "":
        raise InvalidInput(
            '"until" is missing: say until when, like 23:00, 2026-12-01T09:00 or 2h; no freeze that is asked for lasts for ever'
        )
    limit = (
        f"a freeze that is asked for lasts {Duration(LONGEST_FREEZE)} at most. Write a longer one into the calendar of the "
        "environment (freezes)"
    )
    if isinstance(until, str):
        return parse_until(until, zone, now, at_most=LONGEST_FREEZE, limit=limit)
    if not now < until <= now + LONGEST_FREEZE:
        raise InvalidInput(f'"until" is {until!r} in epoch seconds, and it is {now:.0f} now; {limit}')
    return until


def local_time(moment: float, zone: str) -> str:
    """A moment on the environment's clock, for a sentence."""
    at = datetime.fromtimestamp(moment, ZoneInfo(zone))
    return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"


def refuse_frozen(asked: AskedFreezes, service: str, zone: str, now: float, *, break_glass: str) -> None:
    """Raise `Frozen` where a person froze the service, or all, and the release says no reason why it cannot wait."""
    found = asked.in_force(now, service)
    if found and not break_glass.strip():
        first = found[0]
        lifts = f"candlefish unfreeze{f' {first.service}' if first.service else ''} -e {asked.environment}"
        raise Frozen(
            f"{first.what} of {asked.environment} is frozen until {local_time(first.until, zone)} by {first.by} "
            f'({first.reason}); wait, lift it ({lifts}), or say why it cannot wait in "break_glass" (it will be recorded)'
        )


def open_freeze(freezes: Iterable[Freeze], timezone: str, now: float) -> Freeze | None:
    """The freeze window of the calendar that is open at `now` (epoch seconds), if any.

    Starts and ends are local times like `2026-12-24T00:00` in the environment's zone; the start is
    inside the window, the end is not. They are compared as instants, so a window that spans a
    change of the clocks is as long as it really is.
    """
    for each in freezes:
        start, end = stretch_of(each, timezone)
        if start <= now < end:
            return each
    return None


def stretch_of(freeze: Freeze, timezone: str) -> tuple[float, float]:
    """When a freeze window of the calendar begins and ends, epoch seconds: of an hour that comes twice, all is in it."""
    zone = ZoneInfo(timezone)
    return (
        moment_of(datetime.fromisoformat(freeze.start), zone),
        moment_of(datetime.fromisoformat(freeze.end), zone, fold=1),
    )
