"""CloudFormation resource types that moto's stacks leave out, made through the APIs.

Each entry makes one type from its properties and returns its physical id and attributes, so that
`!Ref` and `!GetAtt` of it work as everywhere. `install` also makes state machines take their definition
from S3 and their `DefinitionSubstitutions`, which moto ignores.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
from moto.awslambda.models import lambda_backends
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models.table import Table
from moto.events.models import EventBus
from moto.stepfunctions.models import StateMachine

from lab.moto import ACCOUNT, published, replace
from lab.templates import parse

Properties = dict[str, Any]
Client = Callable[[str], Any]
# Properties, generated name, clients -> physical id, attributes.
Maker = Callable[[Properties, str, Client], tuple[str, dict[str, Any]]]


def _function_url(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    wanted = {key: props[key] for key in ("AuthType", "Cors", "InvokeMode") if key in props}
    target = props["TargetFunctionArn"]
    function, qualifier = target, props.get("Qualifier", "")
    if target.startswith("arn:"):
        function, qualifier = target.split(":")[6], qualifier or ":".join(target.split(":")[7:])
    api = client("lambda")
    made = api.create_function_url_config(FunctionName=function, **wanted)
    # moto has URLs of functions, and none of their aliases.
    config: Any = lambda_backends[ACCOUNT][api.meta.region_name].get_function(function).url_config
    config.qualifier = qualifier
    return made["FunctionArn"], {"FunctionUrl": made["FunctionUrl"], "FunctionArn": made["FunctionArn"]}


def _invoke_config(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    keys = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    wanted = {key: props[key] for key in keys if key in props}
    for key in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
        if key in wanted:
            wanted[key] = int(wanted[key])
    client("lambda").put_function_event_invoke_config(FunctionName=props["FunctionName"], **wanted)
    return f"{props['FunctionName']}|{props.get('Qualifier', '$LATEST')}", {}


def _queue_policy(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    for queue in props["Queues"]:
        policy = json.dumps(props["PolicyDocument"])
        client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    return name, {}


def _topic_policy(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    for topic in props["Topics"]:
        client("sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(props["PolicyDocument"])
        )
    return name, {}


def _subscription(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    attributes = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in props.items()
        if key in ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")
    }
    made = client("sns").subscribe(
        TopicArn=props["TopicArn"],
        Protocol=props["Protocol"],
        Endpoint=props.get("Endpoint", ""),
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return made["SubscriptionArn"], {}


_NUMBERS = ("Period", "EvaluationPeriods", "DatapointsToAlarm")


def _alarm(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    wanted = {"AlarmName": name, **{key: value for key, value in props.items() if key != "AlarmName"}}
    wanted["AlarmName"] = props.get("AlarmName", name)
    for key in _NUMBERS:
        if key in wanted:
            wanted[key] = int(wanted[key])
    if "Threshold" in wanted:
        wanted["Threshold"] = float(wanted["Threshold"])
    for query in wanted.get("Metrics", []):
        if "Period" in query.get("MetricStat", {}):
            query["MetricStat"]["Period"] = int(query["MetricStat"]["Period"])
        if "ReturnData" in query:
            query["ReturnData"] = str(query["ReturnData"]).lower() == "true"
    if "ActionsEnabled" in wanted:
        wanted["ActionsEnabled"] = str(wanted["ActionsEnabled"]).lower() == "true"
    api = client("cloudwatch")
    api.put_metric_alarm(**wanted)
    (found,) = api.describe_alarms(AlarmNames=[wanted["AlarmName"]])["MetricAlarms"]
    return wanted["AlarmName"], {"Arn": found["AlarmArn"]}


def _composite(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    api = client("cloudwatch")
    wanted = {"AlarmName": name, **props}
    if "ActionsEnabled" in wanted:
        wanted["ActionsEnabled"] = str(wanted["ActionsEnabled"]).lower() == "true"
    for key in ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"):
        if key in wanted:
            wanted[key] = int(wanted[key])
    api.put_composite_alarm(**wanted)
    found = api.describe_alarms(AlarmNames=[wanted["AlarmName"]], AlarmTypes=["CompositeAlarm"])[
        "CompositeAlarms"
    ]
    return wanted["AlarmName"], {"Arn": found[0]["AlarmArn"] if found else ""}


def _schedule(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    wanted = {"Name": name, **props}
    wanted.setdefault("FlexibleTimeWindow", {"Mode": "OFF"})
    policy = wanted["Target"].get("RetryPolicy")
    if policy:
        wanted["Target"]["RetryPolicy"] = {key: int(value) for key, value in policy.items()}
    made = client("scheduler").create_schedule(**wanted)
    return wanted["Name"], {"Arn": made["ScheduleArn"]}


def _schedule_group(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    made = client("scheduler").create_schedule_group(Name=props.get("Name", name))
    return props.get("Name", name), {"Arn": made["ScheduleGroupArn"]}


def _oidc_provider(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    made = client("iam").create_open_id_connect_provider(
        Url=props["Url"],
        ClientIDList=props.get("ClientIdList", []),
        ThumbprintList=props.get("ThumbprintList") or ["0" * 40],
    )
    arn = made["OpenIDConnectProviderArn"]
    return arn, {"Arn": arn}


def _secret(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    text = props.get("SecretString")
    if text is None:
        how = props.get("GenerateSecretString", {})
        alphabet = string.ascii_letters + string.digits
        text = "".join(secrets.choice(alphabet) for _ in range(int(how.get("PasswordLength", 32))))
        if "GenerateStringKey" in how:
            text = json.dumps(
                {**json.loads(how.get("SecretStringTemplate", "{}")), how["GenerateStringKey"]: text}
            )
    made = client("secretsmanager").create_secret(
        Name=props.get("Name", name), Description=props.get("Description", ""), SecretString=text
    )
    return made["ARN"], {"Id": made["ARN"]}


def _access_entry(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    eks, cluster, principal = client("eks"), props["ClusterName"], props["PrincipalArn"]
    made = eks.create_access_entry(
        clusterName=cluster,
        principalArn=principal,
        kubernetesGroups=props.get("KubernetesGroups", []),
        **({"username": props["Username"]} if "Username" in props else {}),
    )["accessEntry"]
    for policy in props.get("AccessPolicies", []):
        scope = {key[0].lower() + key[1:]: value for key, value in policy["AccessScope"].items()}
        eks.associate_access_policy(
            clusterName=cluster, principalArn=principal, policyArn=policy["PolicyArn"], accessScope=scope
        )
    return f"{principal}|{cluster}", {"AccessEntryArn": made["accessEntryArn"]}


def _budget(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    budget, told = props["Budget"], props.get("NotificationsWithSubscribers", [])
    for subscriber in (each for row in told for each in row["Subscribers"]):
        if subscriber["SubscriptionType"] == "SNS":
            _may_publish(client("sns"), subscriber["Address"])
    wanted = {"BudgetName": name, **budget}
    wanted["BudgetLimit"] = {key: str(value) for key, value in wanted.get("BudgetLimit", {}).items()}
    client("budgets").create_budget(AccountId=ACCOUNT, Budget=wanted, NotificationsWithSubscribers=told)
    return wanted["BudgetName"], {}


def _may_publish(sns: Any, topic: str) -> None:
    """Budgets looks whether it may, before it takes a subscriber."""
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy") or "{}")
    for each in policy.get("Statement", ()):
        principal = each.get("Principal", {})
        services = principal.get("Service", ()) if isinstance(principal, dict) else ()
        if each["Effect"] == "Allow" and "budgets.amazonaws.com" in services:
            return
    raise ValueError(f"Budgets is not allowed to publish to {topic}; its topic policy has to let it")


def _nothing(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    """Types without an effect that anybody in the lab could observe."""
    return name, {}


MAKERS: dict[str, Maker] = {
    "AWS::Lambda::Url": _function_url,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    "AWS::Lambda::Alias": published.function_alias,
    "AWS::StepFunctions::StateMachineVersion": published.machine_version,
    "AWS::StepFunctions::StateMachineAlias": published.machine_alias,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _composite,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": _schedule_group,
    "AWS::IAM::OIDCProvider": _oidc_provider,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::EKS::AccessEntry": _access_entry,
    # Effects that nobody in the lab could observe.
    "AWS::S3::BucketPolicy": _nothing,
    "AWS::Events::EventBusPolicy": _nothing,
    "AWS::Logs::MetricFilter": _nothing,
    "AWS::Budgets::Budget": _budget,
    "AWS::SecretsManager::ResourcePolicy": _nothing,
}


# What is deleted and made again when it changes.
MADE_ANEW = frozenset({"AWS::Budgets::Budget"})


class _Made(CloudFormationModel):
    """A resource of one of the types above, as moto's stacks keep it. Subclasses say which type."""

    # moto asks every class of its kind for its type.
    kind = ""
    make: Maker
    client_in: Callable[[str], Client]

    def __init__(self, physical_id: str, attributes: dict[str, Any]) -> None:
        self._id = physical_id
        self._attributes = attributes

    @property
    def physical_resource_id(self) -> str:
        return self._id

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.kind

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        return self._attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> _Made:
        properties = dict(cloudformation_json["Properties"])
        return cls(*cls.make(properties, resource_name, cls.client_in(region_name)))

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> _Made:
        if cls.kind in MADE_ANEW:
            cls.client_in(region_name)("budgets").delete_budget(
                AccountId=ACCOUNT, BudgetName=original_resource.physical_resource_id
            )
        return cls.create_from_cloudformation_json(
            original_resource.physical_resource_id, cloudformation_json, account_id, region_name
        )

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        """`lab.moto.stack_failures.REMOVERS` deletes what can be asked for again."""

    def is_created(self) -> bool:
        return True


def install(endpoint: str, more_makers: Mapping[str, Maker] | None = None) -> None:
    """Teach moto's stacks the types above, and more that somebody else makes; `endpoint` is where they are made."""
    client_in = clients(endpoint)
    models = parsing.get_model_map()
    for kind, make in {**MAKERS, **(more_makers or {})}.items():
        more = {"kind": kind, "make": staticmethod(make), "client_in": staticmethod(client_in)}
        models[kind] = type("Resource", (_Made,), more)
    published.install()
    made = Table.create_from_cloudformation_json
    replace(Table, "create_from_cloudformation_json", classmethod(_create_table(made)))
    # moto forgot what `!Ref` of a bus is.
    EventBus.physical_resource_id = property(lambda bus: bus.name)  # type: ignore[attr-defined]
    for name, make_change in (
        ("create_from_cloudformation_json", _create_machine),
        ("update_from_cloudformation_json", _update_machine),
    ):
        replace(StateMachine, name, classmethod(make_change(getattr(StateMachine, name), client_in)))


@cache
def clients(endpoint: str) -> Callable[[str], Client]:
    """Clients as CloudFormation has them: of a region, by service."""

    @cache
    def client(region: str, service: str) -> Any:
        session = boto3.session.Session()
        return session.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id="cloudformation",
            aws_secret_access_key="cloudformation",
        )

    return lambda region: lambda service: client(region, service)


def _create_table(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(cls: Any, /, *args: Any, **more: Any) -> Any:
        table = original(*args, **more)
        # CloudFormation has another word for it than the API, and moto keeps it as it comes.
        if (told := table.sse_specification) and told.get("SSEEnabled"):
            told["Enabled"] = True
        return table

    return create


def _create_machine(original: Callable[..., Any], client_in: Callable[[str], Client]) -> Callable[..., Any]:
    def create(cls: Any, name: str, definition: Any, account: str, region: str, **more: Any) -> Any:
        _define(definition["Properties"], client_in(region))
        return original(name, definition, account, region, **more)

    return create


def _update_machine(original: Callable[..., Any], client_in: Callable[[str], Client]) -> Callable[..., Any]:
    def update(cls: Any, /, **more: Any) -> Any:
        _define(more["cloudformation_json"]["Properties"], client_in(more["region_name"]))
        return original(**more)

    return update


def _define(properties: Properties, client: Client) -> None:
    """Put a machine's definition in its properties, from where they say and with what they substitute."""
    definition = properties.get("DefinitionString", "")
    if place := properties.get("DefinitionS3Location"):
        stored = client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"].read().decode()
        definition = json.dumps(parse(stored))
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        definition = definition.replace("${" + name + "}", json.dumps(str(value))[1:-1])
    properties["DefinitionString"] = definition
