"""CloudWatch's alarms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.signals.alarms import Alarm

# DeleteAlarms takes a hundred metric alarms, or one composite alarm, at once.
DELETE_AT_ONCE = 100
# There are none any more; they were called so.
_COMPOSITE = "-service-down"


class CloudWatchAlarms:
    """`signals.ports.Alarms`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def existing(self, prefix: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        arguments: dict[str, Any] = {
            "AlarmNamePrefix": prefix,
            "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
        }
        with aws_call(f"listing the alarms {prefix}*"):
            while True:
                page = self._client.describe_alarms(**arguments)
                for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())):
                    found[alarm["AlarmName"]] = alarm
                if "NextToken" not in page:
                    return found
                arguments["NextToken"] = page["NextToken"]

    def put(self, alarm: Alarm) -> None:
        with aws_call(f"writing alarm {alarm.name}"):
            self._client.put_metric_alarm(AlarmName=alarm.name, **alarm.arguments)

    def delete(self, names: Iterable[str]) -> None:
        metric: list[str] = []
        for name in names:
            if name.endswith(_COMPOSITE):
                self._delete([name])
            else:
                metric.append(name)
        for start in range(0, len(metric), DELETE_AT_ONCE):
            self._delete(metric[start : start + DELETE_AT_ONCE])

    def _delete(self, names: list[str]) -> None:
        with aws_call(f"deleting alarms {', '.join(names)}"):
            self._client.delete_alarms(AlarmNames=names)
