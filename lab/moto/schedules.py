"""Schedules that fire: EventBridge rules with a schedule, and EventBridge Scheduler."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from lab.cron import InvalidSchedule, next_fire
from lab.moto import ACCOUNT
from lab.moto.eventbridge import Bus
from lab.pace import Pace

LOG = logging.getLogger("lab")
_TICK_SECONDS = 0.1


def _now() -> datetime:
    return datetime.now(UTC)


class Schedules:
    """Watches every schedule in the account and fires the ones that are due; rates pass at the lab's pace."""

    def __init__(self, bus: Bus, pace: Pace, clock: Callable[[], datetime] = _now) -> None:
        self._bus = bus
        self._pace = pace
        self._scale = pace.scale
        self._clock = clock
        self._due: dict[tuple[str, str], datetime | None] = {}
        self._stopped = threading.Event()
        # Schedules do not fire by themselves while this is set.
        self.paused = threading.Event()

    def start(self) -> None:
        """Watch in the background."""
        threading.Thread(target=self._watch, name="schedules", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def fire(self, name: str) -> int:
        """Fire now every schedule whose name contains `name`; how many there were."""
        chosen = [fire for arn, _, _, fire in self._schedules() if name in arn]
        for fire in chosen:
            fire(self._clock())
        return len(chosen)

    def names(self) -> list[str]:
        """The ARNs of all schedules."""
        return [arn for arn, _, _, _ in self._schedules()]

    def _watch(self) -> None:
        while not self._stopped.wait(self._pace.pause(_TICK_SECONDS)):
            try:
                self._pace.look()
                self.tick()
            except Exception:
                LOG.exception("schedules could not be looked at")

    def tick(self) -> None:
        """Fire what is due by the clock."""
        now = self._clock()
        if self._scale != self._pace.scale:
            # Another pace counts from now on.
            self._scale = self._pace.scale
            self._due.clear()
        for arn, expression, zone, fire in self._schedules():
            key = (arn, expression)
            try:
                if key not in self._due:
                    self._due[key] = next_fire(expression, now, self._scale, zone)
                due = self._due[key]
                if due is None or due > now or self.paused.is_set():
                    continue
                self._due[key] = next_fire(expression, now, self._scale, zone)
            except InvalidSchedule as error:
                LOG.warning("%s never fires: %s", arn, error)
                self._due[key] = None
                continue
            fire(due)

    def _schedules(self) -> Iterator[tuple[str, str, str, Callable[[datetime], None]]]:
        for backend in list(events_backends[ACCOUNT].values()):
            for bus in list(backend.event_buses.values()):
                for rule in list(bus.rules.values()):
                    if rule.scheduled_expression and rule.state == "ENABLED":
                        yield rule.arn, rule.scheduled_expression, "UTC", self._rule_firing(rule)
        for scheduler in list(scheduler_backends[ACCOUNT].values()):
            for group in list(scheduler.schedule_groups.values()):
                for schedule in list(group.schedules.values()):
                    if schedule.state == "ENABLED":
                        yield (
                            schedule.arn,
                            schedule.schedule_expression,
                            schedule.schedule_expression_timezone,
                            self._schedule_firing(schedule),
                        )

    def _rule_firing(self, rule: Any) -> Callable[[datetime], None]:
        def fire(due: datetime) -> None:
            event = {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": rule.account_id,
                "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": rule.region_name,
                "resources": [rule.arn],
                "detail": {},
            }
            self._bus.deliver(rule, event)

        return fire

    def _schedule_firing(self, schedule: Any) -> Callable[[datetime], None]:
        def fire(due: datetime) -> None:
            _, _, _, region, account, _ = schedule.arn.split(":", 5)
            target = dict(schedule.target)
            # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
            text = target.get("Input") or "{}"
            for name, value in {
                "aws.scheduler.schedule-arn": schedule.arn,
                "aws.scheduler.scheduled-time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "aws.scheduler.execution-id": uuid.uuid4().hex,
                "aws.scheduler.attempt-number": "1",
            }.items():
                text = text.replace(f"<{name}>", value)
            target["Input"] = text if _is_json(text) else json.dumps(text)
            self._bus.deliver_to(schedule.arn, target, {}, account, region)

        return fire


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
