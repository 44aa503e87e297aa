"""What CloudFormation does when a resource cannot be made, and when a stack goes.

- Resources are made in the order of what they refer to or depend on; among the others the last of the template comes
  first, so that a dependency that nobody wrote down is noticed.
- A creation that fails takes back what it had made, the last one first, and leaves ROLLBACK_COMPLETE: the stack can
  only be deleted. What has `DeletionPolicy: Retain` stays and keeps its name; `RetainExceptOnCreate` does not.
- What cannot be taken back (a protected table, a bucket that holds something) stays in a stack in ROLLBACK_FAILED.
- An update that fails goes back to the template before, and leaves UPDATE_ROLLBACK_COMPLETE.
- A stack that is deleted leaves behind what has either of the two policies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Event
from moto.cloudformation.parsing import ResourceMap

from lab.moto import ACCOUNT, replace, wrap
from lab.moto.stack_updates import in_order

LOG = logging.getLogger("lab")
Client = Callable[[str], Any]
KEPT = frozenset({"Retain", "RetainExceptOnCreate"})
# States in which a stack can only be deleted.
DEAD = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})


class CannotMake(Exception):
    """A resource could not be made; the message says which, and why."""

    def __init__(self, logical: str, error: Exception) -> None:
        super().__init__(f"{logical}: {type(error).__name__}: {error}")
        self.logical, self.error = logical, error


def install(client_in: Callable[[str], Client]) -> None:
    """Put this in the place of moto's own; `client_in` gives clients of a region."""
    replace(ResourceMap, "create", _create)
    replace(ResourceMap, "delete", _delete)
    wrap(ResourceMap, "_delete_resource", lambda original: _delete_one(original, client_in))


def _create(resources: Any, template: dict[str, Any]) -> bool:
    resources._template = template
    resources._resource_json_map = template["Resources"]
    for name in in_order(template["Resources"]):
        make(resources, name)
    return True


def make(resources: Any, name: str) -> None:
    """Make one resource, if its condition holds.

    Raises
    ------
    CannotMake
        It cannot be made.
    """
    try:
        resources[name]
    except CannotMake:
        raise
    except Exception as error:
        LOG.debug("%s could not be made", name, exc_info=True)
        raise CannotMake(name, error) from error


def made_of(resources: Any) -> list[str]:
    """The logical names of what a stack has, what others need first."""
    there = resources._parsed_resources
    return [name for name in in_order(resources._resource_json_map) if there.get(name) is not None]


def take_back(stack: Any, names: list[str], kept: frozenset[str]) -> list[str]:
    """Delete resources of a stack, the last one first; what could not be, and why.

    `kept` are the deletion policies that leave one alone.
    """
    resources, failed = stack.resource_map, []
    for name in reversed(names):
        definition = resources._resource_json_map[name]
        if definition.get("DeletionPolicy") in kept:
            tell(stack, name, "DELETE_SKIPPED")
        else:
            try:
                resources._delete_resource(resources._parsed_resources[name], definition)
            except Exception as error:  # noqa: BLE001 - whatever an emulator says is the reason
                tell(stack, name, "DELETE_FAILED", str(error))
                failed.append(f"{name}: {error}")
                continue
        resources._parsed_resources.pop(name)
    return failed


def tell(stack: Any, logical: str, status: str, reason: str = "") -> None:
    """Write an event of one resource."""
    kind = stack.resource_map._resource_json_map.get(logical, {}).get("Type", "")
    made = stack.resource_map._parsed_resources.get(logical)
    physical = getattr(made, "physical_resource_id", "") if made is not None else ""
    stack.events.append(
        Event(stack.stack_id, stack.name, logical, str(physical), kind, status, reason or None, None)
    )


def refuse_dead(stack: Any) -> None:
    """Refuse to change a stack that can only be deleted.

    Raises
    ------
    ValidationError
        It is one.
    """
    if stack.status in DEAD:
        raise ValidationError(
            message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
        )


def _delete(resources: Any) -> None:
    """A stack is deleted: all but what its policies keep."""
    failed = []
    for name in reversed(made_of(resources)):
        definition = resources._resource_json_map[name]
        if definition.get("DeletionPolicy") in KEPT:
            continue
        try:
            resources._delete_resource(resources._parsed_resources[name], definition)
        except Exception as error:  # noqa: BLE001 - whatever an emulator says is the reason
            failed.append(f"{name}: {error}")
    if failed:
        raise ValidationError(message="The following resource(s) failed to delete: " + "; ".join(failed))


def _delete_one(original: Callable[..., Any], client_in: Callable[[str], Client]) -> Callable[..., Any]:
    def delete(resources: Any, made: Any, definition: dict[str, Any]) -> None:
        if definition["Type"] in WITH_THEIR_OWNERS:
            return
        remove = REMOVERS.get(definition["Type"])
        if remove is None:
            original(resources, made, definition)
            return
        client = client_in(resources._region_name)
        properties = parsing.clean_json(definition.get("Properties", {}), resources)
        remove(client, str(made.physical_resource_id), properties)

    return delete


Remover = Callable[[Client, str, dict[str, Any]], Any]


def _role(client: Client, name: str, properties: dict[str, Any]) -> None:
    iam = client("iam")
    for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _rule(client: Client, name: str, properties: dict[str, Any]) -> None:
    events, bus = client("events"), properties.get("EventBusName", "default")
    name = name.rsplit("/", 1)[-1]
    targets = [each["Id"] for each in events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]]
    if targets:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=targets)
    events.delete_rule(Name=name, EventBusName=bus)


def _mapping(client: Client, name: str, properties: dict[str, Any]) -> None:
    client("lambda").delete_event_source_mapping(UUID=name)


def _access(client: Client, name: str, properties: dict[str, Any]) -> None:
    principal, cluster = name.rsplit("|", 1)
    client("eks").delete_access_entry(clusterName=cluster, principalArn=principal)


# What goes with what it belongs to.
WITH_THEIR_OWNERS = frozenset(
    {
        "AWS::Lambda::Permission",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::StepFunctions::StateMachineVersion",
        "AWS::StepFunctions::StateMachineAlias",
    }
)
REMOVERS: dict[str, Remover] = {
    "AWS::Lambda::Function": lambda c, n, p: c("lambda").delete_function(FunctionName=n),
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Url": lambda c, n, p: c("lambda").delete_function_url_config(FunctionName=n),
    "AWS::StepFunctions::StateMachine": lambda c, n, p: c("stepfunctions").delete_state_machine(
        stateMachineArn=n
    ),
    "AWS::KMS::Key": lambda c, n, p: c("kms").schedule_key_deletion(KeyId=n, PendingWindowInDays=30),
    "AWS::KMS::Alias": lambda c, n, p: c("kms").delete_alias(AliasName=p["AliasName"]),
    "AWS::Logs::LogGroup": lambda c, n, p: c("logs").delete_log_group(logGroupName=n),
    "AWS::SNS::Topic": lambda c, n, p: c("sns").delete_topic(TopicArn=n),
    "AWS::SNS::Subscription": lambda c, n, p: c("sns").unsubscribe(SubscriptionArn=n),
    "AWS::SQS::Queue": lambda c, n, p: c("sqs").delete_queue(QueueUrl=n),
    "AWS::Events::EventBus": lambda c, n, p: c("events").delete_event_bus(Name=n),
    "AWS::Events::Rule": _rule,
    "AWS::DynamoDB::Table": lambda c, n, p: c("dynamodb").delete_table(TableName=n),
    "AWS::S3::Bucket": lambda c, n, p: c("s3").delete_bucket(Bucket=n),
    "AWS::IAM::Role": _role,
    "AWS::IAM::ManagedPolicy": lambda c, n, p: c("iam").delete_policy(PolicyArn=n),
    "AWS::IAM::OIDCProvider": lambda c, n, p: c("iam").delete_open_id_connect_provider(
        OpenIDConnectProviderArn=n
    ),
    "AWS::CloudWatch::Alarm": lambda c, n, p: c("cloudwatch").delete_alarms(AlarmNames=[n]),
    "AWS::CloudWatch::Dashboard": lambda c, n, p: c("cloudwatch").delete_dashboards(DashboardNames=[n]),
    "AWS::CloudWatch::CompositeAlarm": lambda c, n, p: c("cloudwatch").delete_alarms(AlarmNames=[n]),
    "AWS::Scheduler::Schedule": lambda c, n, p: c("scheduler").delete_schedule(
        Name=n, **({"GroupName": p["GroupName"]} if "GroupName" in p else {})
    ),
    "AWS::SecretsManager::Secret": lambda c, n, p: c("secretsmanager").delete_secret(
        SecretId=n, ForceDeleteWithoutRecovery=True
    ),
    "AWS::EKS::AccessEntry": _access,
    "AWS::Budgets::Budget": lambda c, n, p: c("budgets").delete_budget(AccountId=ACCOUNT, BudgetName=n),
}
