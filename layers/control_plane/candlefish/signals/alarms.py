"""The CloudWatch alarms of a service: pure, from its record and the catalog.

They are made by a function, not by the template, because a service's target groups are made by
onboarding and CloudFormation does not know their names. What the load balancer reports and when:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html

Missing data, thought through:

- RequestCount and 5xx counts are not reported without traffic. No requests are no errors: FILL with
  0, and below `LEAST_REQUESTS` a minute there is no share of errors to speak of.
- TargetResponseTime is not reported without traffic either: not breaching.
- HealthyHostCount is not reported when a target group has no targets at all. That is as down as can
  be: breaching. An idle slot is in that state for good, so only both slots together mean "down". And
  a load balancer reports minutes late: until CloudWatch has seen a slot healthy once, silence is not
  down but new, and there is no service-down.
"""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.catalog.model import Database, Service
from candlefish.service.model import SLOTS, Slot
from candlefish.service.record import ServiceRecord

PREFIX = "candlefish"
SERVICE_DOWN = "-service-down"
# Of both together it is made.
HALVES = tuple(f"-unhealthy-{slot}" for slot in SLOTS)
LEAST_REQUESTS = 20
PERIOD = 60


class Alarm(msgspec.Struct, frozen=True):
    """An alarm as it shall be: the arguments of PutMetricAlarm, or of PutCompositeAlarm when it has a rule."""

    name: str
    arguments: dict[str, Any]

    @property
    def composite(self) -> bool:
        return "AlarmRule" in self.arguments


def alarms_of(record: ServiceRecord, service: Service, load_balancer: str) -> list[Alarm]:
    """All alarms of one service. `load_balancer` is its name as CloudWatch knows it, `app/name/id`."""
    found: list[Alarm] = []
    for slot in SLOTS:
        found += _of_slot(record, service, slot, load_balancer)
    name = f"{PREFIX}-{record.environment}-{service.name}"
    rule = " AND ".join(f'ALARM("{name}{half}")' for half in HALVES)
    labels = f"[service={service.name} environment={record.environment} severity=critical]"
    found.append(
        Alarm(
            f"{name}{SERVICE_DOWN}",
            {
                "AlarmRule": rule,
                "AlarmDescription": f"No slot of {service.name} has had a healthy target for 5 minutes. {labels}",
            },
        )
    )
    return found


def database_alarm(environment: str, database: Database) -> Alarm:
    # CloudWatch has no metric that says that a database is down, only metrics that stop coming; and
    # what is unknown fails nothing over. Unavailability comes from Prometheus (pg_up).
    dimension = "DBClusterIdentifier" if database.kind == "aurora" else "DBInstanceIdentifier"
    return Alarm(
        f"{PREFIX}-{environment}-{database.name}-utilisation-high",
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


def _of_slot(record: ServiceRecord, service: Service, slot: Slot, load_balancer: str) -> list[Alarm]:
    group = record.slots[slot].target_group.rpartition(":")[2]
    dimensions = [
        {"Name": "LoadBalancer", "Value": load_balancer},
        {"Name": "TargetGroup", "Value": group},
    ]

    def alarm(what: str, says: str, severity: str, minutes: int, missing: str, **arguments: Any) -> Alarm:
        labels = f"[service={service.name} slot={slot} environment={record.environment} severity={severity}]"
        return Alarm(
            f"{PREFIX}-{record.environment}-{service.name}-{what}-{slot}",
            {
                "AlarmDescription": f"{says} for {minutes} minutes. {labels}",
                "EvaluationPeriods": minutes,
                "DatapointsToAlarm": minutes,
                "TreatMissingData": missing,
                **arguments,
            },
        )

    def share(over: float) -> dict[str, Any]:
        return {"Metrics": _share_of_errors(dimensions), "Threshold": over, **GREATER}

    single = {"Namespace": "AWS/ApplicationELB", "Dimensions": dimensions, "Period": PERIOD}
    answers = f"of {service.name}'s answers from slot {slot} are errors"
    return [
        alarm("errors-critical", f"Over half {answers}", "critical", 2, "notBreaching", **share(50.0)),
        alarm("errors-high", f"Over 10% {answers}", "warning", 5, "notBreaching", **share(10.0)),
        alarm(
            "latency-high",
            f"A twentieth of {service.name}'s answers from slot {slot} take over 2 seconds",
            "warning",
            5,
            "notBreaching",
            **single,
            MetricName="TargetResponseTime",
            ExtendedStatistic="p95",
            Threshold=2.0,
            **GREATER,
        ),
        alarm(
            "unhealthy",
            f"Slot {slot} of {service.name} has no healthy target",
            "none",
            5,
            "breaching",
            **single,
            MetricName="HealthyHostCount",
            Statistic="Maximum",
            Threshold=1.0,
            ComparisonOperator="LessThanThreshold",
        ),
    ]


GREATER = {"ComparisonOperator": "GreaterThanThreshold"}


def _share_of_errors(dimensions: list[dict[str, str]]) -> list[dict[str, Any]]:
    counts = {
        "requests": "RequestCount",
        "answered": "HTTPCode_Target_5XX_Count",
        # Connections that no target took: the user saw a 502 or 504.
        "refused": "TargetConnectionErrorCount",
    }
    queries: list[dict[str, Any]] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions},
                "Period": PERIOD,
                "Stat": "Sum",
            },
            "ReturnData": False,
        }
        for name, metric in counts.items()
    ]
    enough = f"FILL(requests, 0) > {LEAST_REQUESTS}"
    share = "100 * (FILL(answered, 0) + FILL(refused, 0)) / FILL(requests, 1)"
    queries.append(
        {
            "Id": "share",
            "Expression": f"IF({enough}, {share}, 0)",
            "Label": "errors, percent",
            "ReturnData": True,
        }
    )
    return queries


def differs(existing: dict[str, Any] | None, alarm: Alarm) -> bool:
    """Whether CloudWatch has no such alarm, or has it otherwise."""
    return existing is None or any(existing.get(name) != value for name, value in alarm.arguments.items())


def made_by_us(name: str) -> bool:
    what = {"errors-critical", "errors-high", "latency-high", "unhealthy"}
    return name.endswith((SERVICE_DOWN, "-utilisation-high")) or any(
        name.endswith(f"-{w}-{s}") for w in what for s in SLOTS
    )
