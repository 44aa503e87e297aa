"""Names that are taken: where moto would make a second thing of one name, or hand out the first one again.

CloudFormation makes what a template describes and nothing else: what is there already, it refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.cloudformation import parsing
from moto.cloudwatch.models import cloudwatch_backends
from moto.events.models import events_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from lab.moto import ACCOUNT, wrap

# Who has a name, by region.
Known = Callable[[str], Any]
# Type -> the property that names it, and the names that are taken. The other types refuse by themselves.
TAKEN: dict[str, tuple[str, Known]] = {
    "AWS::Lambda::Function": (
        "FunctionName",
        lambda region: [fn.function_name for fn in lambda_backends[ACCOUNT][region].list_functions()],
    ),
    "AWS::SQS::Queue": ("QueueName", lambda region: sqs_backends[ACCOUNT][region].queues),
    "AWS::SNS::Topic": (
        "TopicName",
        lambda region: [arn.rsplit(":", 1)[1] for arn in sns_backends[ACCOUNT][region].topics],
    ),
    "AWS::Events::EventBus": ("Name", lambda region: events_backends[ACCOUNT][region].event_buses),
    "AWS::StepFunctions::StateMachine": (
        "StateMachineName",
        lambda region: [one.name for one in stepfunctions_parser_backends[ACCOUNT][region].state_machines],
    ),
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda region: cloudwatch_backends[ACCOUNT][region].alarms),
    "AWS::CloudWatch::Dashboard": (
        "DashboardName",
        lambda region: cloudwatch_backends[ACCOUNT][region].dashboards,
    ),
    # All accounts and regions share the names of buckets.
    "AWS::S3::Bucket": (
        "BucketName",
        lambda region: [name for account in s3_backends.values() for name in account["aws"].buckets],
    ),
}
_LONGEST_BUCKET = 63


class AlreadyExists(Exception):
    """The name is taken."""


def install() -> None:
    """Refuse what is there already when a stack makes it."""
    wrap(parsing, "parse_and_create_resource", _create)


def _create(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(logical_id: str, resource_json: Any, resources_map: Any, **where: Any) -> Any:
        condition = resource_json.get("Condition")
        if not condition or resources_map.lazy_condition_map[condition]:
            _refuse(resource_json, resources_map, where["region_name"])
        return original(logical_id, resource_json, resources_map, **where)

    return create


def _refuse(resource: dict[str, Any], resources: Any, region: str) -> None:
    kind = resource["Type"]
    if kind not in TAKEN or TAKEN[kind][0] not in resource.get("Properties", {}):
        return
    key, known = TAKEN[kind]
    name = parsing.clean_json(resource["Properties"][key], resources)
    if kind == "AWS::S3::Bucket" and len(name) > _LONGEST_BUCKET:
        raise ValueError(f"Bucket name should be between 3 and {_LONGEST_BUCKET} characters long: {name}")
    if name in known(region):
        raise AlreadyExists(f"{name} already exists")
