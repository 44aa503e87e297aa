"""CloudWatch's alarms, in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from candlefish.ports import Now
from candlefish.signals.alarms import Alarm
from lab.memory.store import Store


class MemoryAlarms(Store):
    """`signals.ports.Alarms`: alarms as CloudWatch describes them. Whoever watches metrics sets their states."""

    def __init__(self, now: Now, account: str = "123456789012", region: str = "us-west-2") -> None:
        super().__init__()
        self.now = now
        self.arn = f"arn:aws:cloudwatch:{region}:{account}:alarm"
        self.alarms: dict[str, dict[str, Any]] = {}

    def existing(self, prefix: str) -> dict[str, dict[str, Any]]:
        # Metric alarms come before composite ones.
        names = sorted(self.alarms, key=lambda name: ("AlarmRule" in self.alarms[name], name))
        return {name: copy.deepcopy(self.alarms[name]) for name in names if name.startswith(prefix)}

    def put(self, alarm: Alarm) -> None:
        described = {
            "AlarmName": alarm.name,
            "AlarmArn": f"{self.arn}:{alarm.name}",
            **msgspec.json.decode(msgspec.json.encode(alarm.arguments)),
        }
        if (before := self.alarms.get(alarm.name)) is not None:
            # Another definition leaves the state as it is.
            self.alarms[alarm.name] = described | {
                name: value for name, value in before.items() if name.startswith("State")
            }
            return
        self.alarms[alarm.name] = described
        self.set_state(alarm.name, "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self.alarms.pop(name, None)
            self.between()

    def set_state(self, name: str, value: str, reason: str) -> None:
        """Have an alarm be `OK`, `ALARM` or `INSUFFICIENT_DATA`; the same again moves no time."""
        alarm = self.alarms[name]
        if alarm.get("StateValue") == value:
            return
        at = datetime.fromtimestamp(self.now(), UTC)
        alarm |= {
            "StateValue": value,
            "StateReason": reason,
            "StateUpdatedTimestamp": at,
            "StateTransitionedTimestamp": at,
        }
