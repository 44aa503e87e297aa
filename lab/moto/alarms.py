"""CloudWatch alarms that evaluate: metric, metric math and composite alarms.

An alarm looks at its last complete periods by the clock on the wall, whatever of them is reported by then, counts those
that breach (`lab.alarms.states`), and on a change of state emits the event that EventBridge rules match on, and sends
its SNS and Lambda actions. Periods run in lab time: they are seconds. So that a machine that stands still is not taken
for a service that is down, the clock stands still with whoever reports, once nothing at all has been reported for
longer than the load balancer is late.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.exceptions import ServiceException
from moto.sns.models import sns_backends

from lab.alarms.states import LOOK_BACK, State, composite, state_of
from lab.iam.policies import Ask
from lab.moto import ACCOUNT, eventbridge, metrics, replace
from lab.moto.iam import Authority
from lab.pace import Pace
from lab.quotas import ALARMS

LOG = logging.getLogger("lab")
_TICK_SECONDS = 0.25
# However fast the lab's time is, a minute takes as long: what is reported by the minute would be missing in shorter ones,
# and a few points, or none, would be evidence of five.
LEAST_MINUTE = 1.0
# For so many periods nothing may be reported before that is the machine's doing.
_LATE_PERIODS = 3


class Alarms:
    """Evaluates every alarm in the account."""

    def __init__(
        self, time_scale: float, pace: Pace | None = None, authority: Authority | None = None
    ) -> None:
        self._authority = authority or Authority()
        self._scale = time_scale
        self._pace = pace or Pace(time_scale)
        self._stopped = threading.Event()

    def install(self) -> None:
        """Make SetAlarmState emit the same event that an evaluation does."""

        def set_alarm_state(
            backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str
        ) -> None:
            alarm = backend.alarms.get(alarm_name)
            before = alarm.state_value if alarm else None
            original(backend, alarm_name, reason, reason_data, state_value)
            if alarm is not None and before != state_value:
                self.changed(backend, alarm, before, reason)

        def put_metric_alarm(backend: Any, *args: Any, **kwargs: Any) -> Any:
            before = backend.alarms.get(kwargs.get("name"))
            if before is None and len(backend.alarms) >= ALARMS:
                raise ServiceException(
                    "LimitExceeded", "The quota for alarms for this customer has already been reached."
                )
            alarm = original_put(backend, *args, **kwargs)
            # A new alarm knows nothing yet; one that is written again keeps its state.
            alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
            return alarm

        # moto keeps the rule of a composite alarm, but takes it under the other action's name only.
        setattr(CloudWatchResponse, "put_composite_alarm", CloudWatchResponse.put_metric_alarm)  # noqa: B010
        owner = type(cloudwatch_backends[ACCOUNT]["us-east-1"])
        original = replace(owner, "set_alarm_state", set_alarm_state)
        original_put = replace(owner, "put_metric_alarm", put_metric_alarm)

    def start(self) -> None:
        """Evaluate in the background."""
        threading.Thread(target=self._watch, name="alarms", daemon=True).start()

    def close(self) -> None:
        """Stop evaluating."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._pace.pause(_TICK_SECONDS)):
            try:
                self.tick(time.time())
            except Exception:
                LOG.exception("alarms could not be evaluated")

    def tick(self, now: float) -> None:
        """Evaluate every alarm once, at epoch seconds `now`."""
        for backend in list(cloudwatch_backends[ACCOUNT].values()):
            alarms = list(backend.alarms.values())
            for alarm in sorted(alarms, key=lambda one: one.rule is not None):
                try:
                    state = (
                        self._composite(backend, alarm) if alarm.rule else self._metric(backend, alarm, now)
                    )
                except Exception:
                    LOG.exception("alarm %s could not be evaluated", alarm.name)
                    continue
                if state != alarm.state_value:
                    before = alarm.state_value
                    reason = f"Evaluated in the lab: {before} to {state}"
                    alarm.update_state(reason, "{}", state)
                    self.changed(backend, alarm, before, reason)

    def _metric(self, backend: Any, alarm: Any, now: float) -> State:
        held = metrics.store(backend.account_id, backend.region_name)
        periods = int(alarm.evaluation_periods)
        if alarm.metric_data_queries:
            values = self._math(held, alarm, now, periods + LOOK_BACK)
        else:
            dimensions = frozenset((pair.name, pair.value) for pair in alarm.dimensions)
            key = (alarm.namespace, alarm.metric_name, dimensions)
            stat = alarm.extended_statistic or alarm.statistic
            period = self._period(alarm.period)
            now = _by_clock(held, [alarm.namespace], now, period)
            values = metrics.recent(held, key, stat, period, now, periods + LOOK_BACK)
        to_alarm = int(alarm.datapoints_to_alarm or periods)
        return state_of(
            values,
            alarm.comparison_operator,
            float(alarm.threshold),
            to_alarm,
            alarm.treat_missing_data,
            alarm.state_value,
            periods,
        )

    def _math(self, held: metrics.Metrics, alarm: Any, now: float, periods: int) -> list[float | None]:
        queries = []
        namespaces = []
        longest = LEAST_MINUTE
        for query in alarm.metric_data_queries:
            wanted: dict[str, Any] = {"Id": query.id, "ReturnData": str(query.return_data).lower() != "false"}
            if query.metric_stat is None:
                wanted["Expression"] = query.expression
            else:
                period = self._period(query.metric_stat.period)
                longest = max(longest, period)
                metric = query.metric_stat.metric
                namespaces.append(metric.namespace)
                wanted["MetricStat"] = {
                    "Metric": {
                        "Namespace": metric.namespace,
                        "MetricName": metric.metric_name,
                        "Dimensions": [
                            {"Name": pair.name, "Value": pair.value} for pair in metric.dimensions
                        ],
                    },
                    "Period": period,
                    "Stat": query.metric_stat.stat,
                }
            queries.append(wanted)
        return metrics.recent_math(held, queries, longest, _by_clock(held, namespaces, now, longest), periods)

    def _period(self, period: Any) -> float:
        return max(float(period) / self._scale, LEAST_MINUTE)

    def _composite(self, backend: Any, alarm: Any) -> State:
        return (
            "ALARM"
            if composite(alarm.rule, {one.name: one.state_value for one in backend.alarms.values()})
            else "OK"
        )

    def changed(self, backend: Any, alarm: Any, before: str | None, reason: str) -> None:
        """Tell that an alarm has another state: by an event, and to its actions."""
        now = datetime.now(UTC)
        detail = {
            "alarmName": alarm.name,
            "state": {
                "value": alarm.state_value,
                "reason": reason,
                "reasonData": "{}",
                "timestamp": _stamp(now),
            },
            "previousState": {"value": before, "timestamp": _stamp(now)},
            "configuration": _configuration(alarm),
        }
        eventbridge.publish(
            backend.region_name, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn]
        )
        if not alarm.actions_enabled:
            return
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(
            alarm.state_value, alarm.insufficient_data_actions
        )
        for action in actions or ():
            if ":sns:" in action and not self._authority.refuse_service(
                "cloudwatch.amazonaws.com", Ask("sns:Publish", action), alarm.alarm_arn, as_owner=True
            ):
                _notify(backend, alarm, before, reason, action, now)


def _by_clock(held: metrics.Metrics, namespaces: list[str], now: float, period: float) -> float:
    """The time by which an alarm on these namespaces goes: the clock's, unless the machine stands still."""
    return min(now, held.reported(namespaces, now) + _LATE_PERIODS * period)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _configuration(alarm: Any) -> dict[str, Any]:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    if alarm.rule:
        return {"alarmRule": alarm.rule, "description": alarm.description}
    if alarm.metric_data_queries:
        listed = [
            {"id": query.id, "expression": query.expression or ""} for query in alarm.metric_data_queries
        ]
        return {"metrics": listed, "description": alarm.description}
    metric = {
        "namespace": alarm.namespace,
        "name": alarm.metric_name,
        "dimensions": {pair.name: pair.value for pair in alarm.dimensions},
    }
    stat = alarm.extended_statistic or alarm.statistic
    described = {
        "id": "m1",
        "metricStat": {"metric": metric, "period": alarm.period, "stat": stat},
        "returnData": True,
    }
    return {"metrics": [described], "description": alarm.description}


def _notify(backend: Any, alarm: Any, before: str | None, reason: str, topic: str, now: datetime) -> None:
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": backend.account_id,
        "NewStateValue": alarm.state_value,
        "NewStateReason": reason,
        "StateChangeTime": _stamp(now),
        "Region": backend.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
    }
    try:
        subject = f'{alarm.state_value}: "{alarm.name}"'
        sns_backends[backend.account_id][topic.split(":")[3]].publish(
            message=json.dumps(message), arn=topic, subject=subject[:100]
        )
    except Exception:
        LOG.exception("alarm %s could not notify %s", alarm.name, topic)
