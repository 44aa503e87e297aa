"""What a person may say about an environment's hours: wake, sleep, keep awake, freeze, or clear all that."""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.bounds import MaybeName, Sentence, Title
from candlefish.capacity.calendar import Desired, desired_state, timetable
from candlefish.capacity.model import OverrideKind, ScheduleOverride
from candlefish.capacity.never_production import require_schedule
from candlefish.capacity.news import capacity_event
from candlefish.capacity.ports import CapacityStore
from candlefish.capacity.record import add_override, clear_overrides
from candlefish.catalog.model import Catalog, Duration, Schedule
from candlefish.catalog.people import require_caller
from candlefish.errors import InvalidInput
from candlefish.ports import EventPublisher, Now
from candlefish.until import parse_until

LONGEST_REASON = 500


class CapacityCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command as it is sent (see events/wake.json). `until` as in `until.parse_until`."""

    action: Literal["wake", "sleep", "keep_awake", "freeze", "clear"]
    reason: Sentence = ""
    until: Title = ""
    environment: MaybeName = ""


class HoursInForce(msgspec.Struct, frozen=True):
    """What holds now. Times are epoch seconds; `until` is when the next change comes."""

    environment: str
    desired: Desired
    overrides: tuple[ScheduleOverride, ...]


def command_capacity(
    request: CapacityCommand,
    *,
    principal: str,
    environment: str,
    catalog: Catalog,
    store: CapacityStore,
    events: EventPublisher,
    now: Now,
) -> HoursInForce:
    """Store what a person asked for, and have the reconciler look at once.

    `principal` is who signed the call (an IAM ARN), a person of the catalog.
    Saying the same again is harmless; the newest word wins (docs/catalog.md, precedence).

    Raises
    ------
    NotAllowed
        The environment is production, or the principal is nobody in the catalog.
    AlwaysAwake
        The environment has no schedule.
    InvalidInput
        There is no reason, the time is no time to come, or the command names another environment.
    """
    if request.environment not in ("", environment):
        raise InvalidInput(
            f"this control plane looks after {environment}, the command names {request.environment!r}; "
            f"send it to the control plane of {request.environment!r}"
        )
    env, schedule = require_schedule(catalog, environment)
    at = now()
    by = require_caller(principal, catalog, environment).name
    if request.action == "clear":
        record = store.update(clear_overrides)
    else:
        override = _override(request, request.action, schedule, by, at)
        record = store.update(lambda r: add_override(r, override, at))
    wanted = desired_state(timetable(env, catalog.calendars), record.overrides, at)
    until = f" until {request.until}" if request.until else ""
    reason = f"{request.reason or 'no reason given'}{until}"
    events.publish(*capacity_event("asked", environment, reason, at, by=by, action=request.action))
    return HoursInForce(environment, wanted, tuple(each for each in record.overrides if each.until > at))


def _override(
    request: CapacityCommand, kind: OverrideKind, schedule: Schedule, by: str, at: float
) -> ScheduleOverride:
    if not request.reason.strip() or len(request.reason) > LONGEST_REASON:
        raise InvalidInput(f'"reason" must say something, in at most {LONGEST_REASON} characters')
    if not request.until:
        raise InvalidInput('"until" is missing: say until when, like 23:00 or 2h; no override lasts for ever')
    longest = schedule.override_at_most
    limit = (
        f"an override lasts {Duration(longest)} at most (override_at_most in the environment's schedule). "
        "Change the schedule for good instead"
    )
    until = parse_until(request.until, schedule.timezone, at, at_most=longest, limit=limit)
    return ScheduleOverride(kind, at, until, by, request.reason)
