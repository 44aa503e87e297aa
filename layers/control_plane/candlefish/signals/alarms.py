"""The CloudWatch alarms of an environment: pure, from the records and the catalog.

They are made by a function, not by the template, because a service's target groups are made by
onboarding and CloudFormation does not know their names. What the load balancer reports and when:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html

An alarm costs $0.10 a month for each metric that it looks at, and only what can be taken back is worth acting on:

- *On trial* is a slot with users whose version a release brings, or brought and may still take back. It has the alarms
  that act: errors over half (P0, rolls back), errors over a tenth (P1, holds) and no healthy target (P0). Their errors
  are all requests less those answered with 2xx, 3xx and 4xx: a request that the target never answered is in no other
  count of its group. Nine metrics, for the hours of a release.
- *At rest* an alarm can only tell. The stable slot keeps errors over a tenth, by the target's own 5xx: two metrics. What
  targets do not answer, and whoever has none, is then seen by one alarm of the load balancer's own 5xx for all of its
  services. A slow service is told of by its release's judge and by Prometheus.

Missing data, thought through. Reports are late by up to some minutes, and counts of zero are not reported:

- There is no FILL: it would supply the newest minutes, which are always still to come, and the alarm would never move.
  Arithmetic takes what is missing for 0, so answers that were not given need none. Without requests there is no point
  at all, and below `LEAST_REQUESTS` a minute no share of errors to speak of.
- M of N: two minutes of the last four, five of the last seven. The newest two may be missing for good; and an outage
  that one good minute interrupts is one. A point that is missing is not breaching, when too few are there to judge.
- HealthyHostCount is not reported when a target group has no targets at all. That is as down as can be: breaching. But
  of a slot that has just got its first targets nothing is reported either, for minutes, or the zeros of before they
  were healthy, of which one alone is an alarm where the rest is missing: until CloudWatch has found the alarm OK once
  the slot is not down but new, what is missing changes nothing (ignore), and its severity is `unproven`: nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from candlefish.catalog.model import Database
from candlefish.service.model import SLOTS, Slot, group_of
from candlefish.service.record import ServiceRecord
from candlefish.signals.classify import SILENT
from candlefish.signals.sources import described_labels

LEAST_REQUESTS = 20
PERIOD = 60
GREATER = {"ComparisonOperator": "GreaterThanThreshold"}
_NAMESPACE = "AWS/ApplicationELB"
# What is told of a service, of a load balancer, of a database.
KINDS = frozenset({"errors-critical", "errors-high", "service-down", "own-errors", "utilisation-high"})
# A database or a load balancer may be called like a service.
NO_SERVICES = ("/own-errors", "/utilisation-high")
# What alarms were called when they had one for each slot of each service, and names that were prefixes of others'.
_OLD_KINDS = KINDS | {"latency-high", "unhealthy"}


class Alarm(msgspec.Struct, frozen=True):
    """An alarm as it shall be: the arguments of PutMetricAlarm."""

    name: str
    arguments: dict[str, Any]


def prefix_of(environment: str) -> str:
    """How the names of an environment's alarms begin, and nobody else's: no name of an environment has a slash."""
    return f"candlefish/{environment}/"


def old_prefix_of(environment: str) -> str:
    """How they began before; those of an environment whose name goes on after this one's begin so too."""
    return f"candlefish-{environment}-"


def alarms_of(record: ServiceRecord, now: float, *, websockets: bool = False) -> list[Alarm]:
    """The alarms of a service at a time, epoch seconds: of the slots that have users.

    With `websockets`, requests without a counted answer may be well (`catalog.model.Service`).
    """
    found: list[Alarm] = []
    for slot in SLOTS:
        if record.desired[slot] and (slot == record.stable or record.slots[slot].state == "candidate"):
            found += _of_slot(record, slot, on_trial(record, slot, now), websockets)
    return found


def on_trial(record: ServiceRecord, slot: Slot, now: float) -> bool:
    """Whether what runs in a slot may be taken back: a release brings it, or its rollback window is open."""
    if record.slots[slot].state == "candidate" or record.slots[slot].incoming:
        return True
    return slot == record.stable and now < record.window_until


def balancer_alarms(environment: str, balancers: Iterable[str]) -> list[Alarm]:
    """One alarm for each load balancer, by its name as CloudWatch knows it (`app/name/id`)."""
    return [_own_errors(environment, balancer) for balancer in sorted(set(balancers)) if balancer]


def database_alarm(environment: str, database: Database) -> Alarm:
    # CloudWatch has no metric that says that a database is down, only metrics that stop coming; and
    # what is unknown fails nothing over. Unavailability comes from Prometheus (pg_up).
    dimension = "DBClusterIdentifier" if database.kind == "aurora" else "DBInstanceIdentifier"
    return Alarm(
        f"{prefix_of(environment)}{database.name}/utilisation-high",
        {
            "AlarmDescription": f"Database {database.name} uses over 90% of its CPU for 10 minutes. "
            f"[database={database.name} environment={environment} severity=info]",
            "Namespace": "AWS/RDS",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": dimension, "Value": database.identifier}],
            "Statistic": "Average",
            "Period": PERIOD,
            "EvaluationPeriods": 10,
            "DatapointsToAlarm": 10,
            "Threshold": 90.0,
            "TreatMissingData": "missing",
            **GREATER,
        },
    )


def _of_slot(record: ServiceRecord, slot: Slot, trial: bool, websockets: bool) -> list[Alarm]:
    where = _dimensions(
        LoadBalancer=record.load_balancer, TargetGroup=group_of(record.slots[slot].target_group)
    )
    answers = f"of the requests to slot {slot} of {record.service} fail"
    errors = _share_of_errors(where) if trial and not websockets else _share_of_5xx(where)

    def alarm(kind: str, says: str, severity: str, **arguments: Any) -> Alarm:
        labels = f"service={record.service} slot={slot} environment={record.environment} severity={severity}"
        return Alarm(
            f"{prefix_of(record.environment)}{record.service}/{kind}/{slot}",
            {"AlarmDescription": f"{says}. [{labels}]", **arguments},
        )

    high = alarm(
        "errors-high",
        f"Over 10% {answers} for 5 minutes",
        "warning",
        **_share(errors, over=10.0, minutes=5, of=7),
    )
    if not trial:
        return [high]
    critical = alarm(
        "errors-critical",
        f"Over half {answers} for 2 minutes",
        "critical",
        **_share(errors, over=50.0, minutes=2, of=4),
    )
    down = alarm(
        "service-down",
        f"Slot {slot} of {record.service} has users and for 5 minutes no healthy target",
        "critical",
        Namespace=_NAMESPACE,
        MetricName="HealthyHostCount",
        Dimensions=where,
        Statistic="Maximum",
        Period=PERIOD,
        EvaluationPeriods=5,
        DatapointsToAlarm=5,
        Threshold=1.0,
        TreatMissingData="breaching",
        ComparisonOperator="LessThanThreshold",
    )
    return [critical, high, down]


def _own_errors(environment: str, balancer: str) -> Alarm:
    name = balancer.split("/")[1]
    counts = {"requests": "RequestCount", "own": "HTTPCode_ELB_5XX_Count"}
    # What found no target is in no count of requests.
    share = f"IF(own > {LEAST_REQUESTS}, 100 * own / (requests + own), 0)"
    return Alarm(
        f"{prefix_of(environment)}{name}/own-errors",
        {
            "AlarmDescription": f"Over 1% of the requests to load balancer {name} found no target or no answer "
            f"for 5 minutes. [balancer={name} environment={environment} severity=warning]",
            **_share(
                [*_queries(_dimensions(LoadBalancer=balancer), counts), _returned(share)],
                over=1.0,
                minutes=5,
                of=7,
            ),
        },
    )


def _share(queries: list[dict[str, Any]], *, over: float, minutes: int, of: int) -> dict[str, Any]:
    return {
        "Metrics": queries,
        "Threshold": over,
        "EvaluationPeriods": of,
        "DatapointsToAlarm": minutes,
        "TreatMissingData": "notBreaching",
        **GREATER,
    }


def _share_of_errors(where: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The share of requests to a target group that were not answered, or with 5xx."""
    counts = {"requests": "RequestCount"}
    counts |= {f"answered{kind}": f"HTTPCode_Target_{kind}XX_Count" for kind in "234"}
    share = "100 * (requests - answered2 - answered3 - answered4) / requests"
    return [*_queries(where, counts), _returned(f"IF(requests > {LEAST_REQUESTS}, {share}, 0)")]


def _share_of_5xx(where: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The share of requests to a target group that it answered with 5xx."""
    counts = {"requests": "RequestCount", "failed": "HTTPCode_Target_5XX_Count"}
    share = f"IF(requests > {LEAST_REQUESTS}, 100 * failed / requests, 0)"
    return [*_queries(where, counts), _returned(share)]


def _queries(where: list[dict[str, str]], counts: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": _NAMESPACE, "MetricName": metric, "Dimensions": where},
                "Period": PERIOD,
                "Stat": "Sum",
            },
            "ReturnData": False,
        }
        for name, metric in counts.items()
    ]


def _returned(expression: str) -> dict[str, Any]:
    return {"Id": "share", "Expression": expression, "Label": "failed, percent", "ReturnData": True}


def _dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def as_far_as_known(alarm: Alarm, existing: dict[str, Any]) -> Alarm:
    """The alarm; where silence is breaching, as one that is new and tells nobody until CloudWatch has found it OK."""
    if alarm.arguments["TreatMissingData"] != "breaching":
        return alarm
    if existing.get("StateValue") == "OK" or existing.get("TreatMissingData") == "breaching":
        return alarm
    described = alarm.arguments["AlarmDescription"].replace("severity=critical", f"severity={SILENT}")
    new = {**alarm.arguments, "TreatMissingData": "ignore", "AlarmDescription": described}
    return msgspec.structs.replace(alarm, arguments=new)


def differs(existing: dict[str, Any] | None, alarm: Alarm) -> bool:
    """Whether CloudWatch has no such alarm, or has it otherwise."""
    return existing is None or any(existing.get(name) != value for name, value in alarm.arguments.items())


def made_by_us(name: str, described: dict[str, Any], environment: str) -> bool:
    """Whether we made an alarm for this environment: its name is as ours are, and its description says so too."""
    _, labels = described_labels(described.get("AlarmDescription") or "")
    if labels.get("environment") != environment:
        return False
    subject = next((labels[kind] for kind in ("service", "database", "balancer") if kind in labels), "")
    slot = labels.get("slot", "")
    return bool(subject) and name in {
        *(f"{prefix_of(environment)}{subject}/{kind}{f'/{slot}' if slot else ''}" for kind in KINDS),
        *(f"{old_prefix_of(environment)}{subject}-{kind}{f'-{slot}' if slot else ''}" for kind in _OLD_KINDS),
    }
