"""List prices of us-west-2, in US dollars, without free tiers. One table: what is counted, its price, who says so."""

from __future__ import annotations

from typing import NamedTuple

READ_ON = "2026-11-29"


class Price(NamedTuple):
    """`each` is dollars for one `unit`."""

    unit: str
    each: float
    source: str


PRICES: dict[str, Price] = {
    "transitions": Price(
        "state transition, retries too", 0.025 / 1000, "aws.amazon.com/step-functions/pricing"
    ),
    "invocations": Price("Lambda request", 0.20 / 1e6, "aws.amazon.com/lambda/pricing"),
    "gb_seconds": Price("GB-second on Arm", 0.0000133334, "aws.amazon.com/lambda/pricing"),
    "provisioned": Price(
        "GB-second of provisioned concurrency on Arm", 0.0000033334, "aws.amazon.com/lambda/pricing"
    ),
    "metrics": Price("metric asked of GetMetricData", 0.01 / 1000, "aws.amazon.com/cloudwatch/pricing"),
    "reads": Price("DynamoDB read request unit", 0.125 / 1e6, "aws.amazon.com/dynamodb/pricing/on-demand"),
    "writes": Price("DynamoDB write request unit", 0.625 / 1e6, "aws.amazon.com/dynamodb/pricing/on-demand"),
    "events": Price("event on our bus", 1.00 / 1e6, "aws.amazon.com/eventbridge/pricing"),
    "queue_requests": Price("SQS request", 0.40 / 1e6, "aws.amazon.com/sqs/pricing"),
    "log_gb": Price("GB of logs taken in", 0.50, "aws.amazon.com/cloudwatch/pricing"),
    "traces": Price("X-Ray trace recorded", 5.00 / 1e6, "aws.amazon.com/xray/pricing"),
    "alarm_metrics": Price("metric of an alarm, a month", 0.10, "aws.amazon.com/cloudwatch/pricing"),
    "composite_alarms": Price("composite alarm, a month", 0.50, "aws.amazon.com/cloudwatch/pricing"),
    "custom_metrics": Price("custom metric, a month", 0.30, "aws.amazon.com/cloudwatch/pricing"),
    "keys": Price("KMS key, a month", 1.00, "aws.amazon.com/kms/pricing"),
    "secrets": Price("secret, a month", 0.40, "aws.amazon.com/secrets-manager/pricing"),
}


def dollars(counts: dict[str, float]) -> dict[str, float]:
    """What each of the counted things costs."""
    return {name: count * PRICES[name].each for name, count in counts.items()}
