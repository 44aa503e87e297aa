"""CloudWatch alarms in virtual time: evaluated each minute on what is reported, told once a change.

An alarm looks at its last periods by the clock; what is not there yet is missing (docs: lab/alarms). Nothing is evaluated while nothing can change: a target
group's alarms rest when no weights, targets or versions changed for a while and what serves is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from candlefish.signals.alarms import Alarm
from lab.alarms import metric_math
from lab.alarms.states import LOOK_BACK, State, composite, state_of
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.metrics import MINUTE, Metrics
from lab.simulator.traffic import Traffic

# How long after the last change alarms rest, in seconds.
REST = 15 * 60.0
# Seconds into each minute.
TICK = 10.0


class Alarms:
    """`signals.ports.Alarms`, and what CloudWatch does with them.

    Parameters
    ----------
    publish
        Gets each event "CloudWatch Alarm State Change", as EventBridge rules see it but for its id.
    """

    def __init__(
        self,
        kernel: Kernel,
        balancer: LoadBalancer,
        metrics: Metrics,
        traffic: Traffic,
        publish: Callable[[dict[str, Any]], None],
        *,
        region: str = "us-west-2",
        account: str = "123456789012",
    ) -> None:
        self._kernel, self._metrics, self._traffic, self._publish = kernel, metrics, traffic, publish
        self._region, self._account = region, account
        self._alarms: dict[str, dict[str, Any]] = {}
        # Until when the alarms of a target group, by its dimension, are evaluated.
        self._awake: dict[str, float] = {}
        self._ticking = False
        balancer.before.append(lambda rule: self._wake(*balancer.dimensions_of(rule)))

    # --- signals.ports.Alarms ------------------------------------------------------------------

    def existing(self, prefix: str) -> dict[str, dict[str, Any]]:
        return {name: dict(each) for name, each in sorted(self._alarms.items()) if name.startswith(prefix)}

    def put(self, alarm: Alarm) -> None:
        # A new alarm knows nothing yet; one that is written again keeps its state.
        before = self._alarms.get(alarm.name, {})
        state: dict[str, Any] = {n: before[n] for n in ("StateValue", "StateReason") if n in before}
        since = before.get("StateUpdatedTimestamp", self._now())
        self._alarms[alarm.name] = {
            "StateValue": "INSUFFICIENT_DATA",
            "StateReason": "Unchecked: Initial alarm creation",
            **alarm.arguments,
            **state,
            "AlarmName": alarm.name,
            "AlarmArn": f"arn:aws:cloudwatch:{self._region}:{self._account}:alarm:{alarm.name}",
            "StateUpdatedTimestamp": since,
        }
        self._wake(_group_of(alarm.arguments))

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._alarms.pop(name, None)

    # --- evaluation ----------------------------------------------------------------------------

    def set_state(self, name: str, state: State, reason: str) -> None:
        """SetAlarmState: what somebody, or something that is not simulated, says of an alarm."""
        self._change(self._alarms[name], state, reason)
        self._wake(_group_of(self._alarms[name]))

    def _evaluate(self) -> None:
        """Look at every alarm that is awake; the composite ones, which are cheap, after the others."""
        for alarm in sorted(self._alarms.values(), key=lambda each: ("AlarmRule" in each, each["AlarmName"])):
            group = _group_of(alarm)
            # What is about no group of its own, a load balancer's alarm, is looked at with those of any.
            if group and group not in self._awake:
                continue
            before, state = alarm["StateValue"], self._state(alarm)
            if state != before:
                self._change(alarm, state, f"Evaluated in the simulator: {before} to {state}")
                self._wake(group)

    def _wake(self, *groups: str) -> None:
        self._awake.update(dict.fromkeys(groups, self._kernel.now() + REST))
        if not self._ticking:
            self._ticking = True
            minute = self._kernel.now() // MINUTE * MINUTE
            at = minute + TICK if self._kernel.now() < minute + TICK else minute + MINUTE + TICK
            self._kernel.at(at, self._tick, "alarms")

    def _tick(self) -> None:
        self._evaluate()
        self._wake(*(arn.rpartition(":")[2] for arn in self._traffic.troubled()))
        self._awake = {group: until for group, until in self._awake.items() if until > self._kernel.now()}
        self._ticking = bool(self._awake)
        if self._ticking:
            self._kernel.later(MINUTE, self._tick, "alarms")

    def _state(self, alarm: dict[str, Any]) -> State:
        if "AlarmRule" in alarm:
            states = {name: str(each["StateValue"]) for name, each in self._alarms.items()}
            return "ALARM" if composite(alarm["AlarmRule"], states) else "OK"
        periods = int(alarm["EvaluationPeriods"])
        return state_of(
            self._values(alarm, periods + LOOK_BACK),
            alarm["ComparisonOperator"],
            float(alarm["Threshold"]),
            int(alarm.get("DatapointsToAlarm", periods)),
            alarm.get("TreatMissingData", "missing"),
            alarm["StateValue"],
            periods,
        )

    def _values(self, alarm: dict[str, Any], periods: int) -> list[float | None]:
        """The last periods, oldest first; None where nothing is reported."""
        self._metrics.before_read()
        queries = alarm.get("Metrics")
        period = (
            max(int(each["MetricStat"]["Period"]) for each in queries if "MetricStat" in each)
            if queries
            else int(alarm["Period"])
        )
        end = self._kernel.now() // period * period
        moments = [end - period * (periods - at) for at in range(periods)]
        if queries:
            series = {
                each["Id"]: self._metrics.series(stat["Metric"], stat["Stat"], period, moments[0], end)
                for each in queries
                if (stat := each.get("MetricStat"))
            }
            (answer,) = [each for each in queries if each.get("ReturnData", True)]
            found = metric_math.evaluate(answer["Expression"], series, moments)
        else:
            metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
            stat = alarm.get("ExtendedStatistic") or alarm["Statistic"]
            found = self._metrics.series(metric, stat, period, moments[0], end)
        return [found.get(at) for at in moments]

    def _change(self, alarm: dict[str, Any], state: State, reason: str) -> None:
        before, since = alarm["StateValue"], alarm["StateUpdatedTimestamp"]
        if state == before:
            return
        now = self._now()
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=now)
        self._publish(
            {
                "source": "aws.cloudwatch",
                "detail-type": "CloudWatch Alarm State Change",
                "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "account": self._account,
                "region": self._region,
                "resources": [alarm["AlarmArn"]],
                "detail": {
                    "alarmName": alarm["AlarmName"],
                    "state": {"value": state, "reason": reason, "reasonData": "{}", "timestamp": _stamp(now)},
                    "previousState": {"value": before, "timestamp": _stamp(since)},
                    "configuration": _configuration(alarm),
                },
            }
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._kernel.now(), UTC)


def _group_of(alarm: Mapping[str, Any]) -> str:
    """The dimension of the target group that an alarm watches; empty for any other alarm."""
    stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each]
    pairs = stats[0]["Dimensions"] if stats else alarm.get("Dimensions", ())
    return next((str(pair["Value"]) for pair in pairs if pair["Name"] == "TargetGroup"), "")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _configuration(alarm: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    described = {"description": alarm.get("AlarmDescription", "")}
    if "AlarmRule" in alarm:
        return {"alarmRule": alarm["AlarmRule"], **described}
    if queries := alarm.get("Metrics"):
        listed = [{"id": each["Id"], "expression": each.get("Expression", "")} for each in queries]
        return {"metrics": listed, **described}
    metric = {
        "namespace": alarm["Namespace"],
        "name": alarm["MetricName"],
        "dimensions": {pair["Name"]: pair["Value"] for pair in alarm["Dimensions"]},
    }
    stat = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    queried = {"metric": metric, "period": alarm["Period"], "stat": stat}
    return {"metrics": [{"id": "m1", "metricStat": queried, "returnData": True}], **described}
