"""The template's roles as IAM sees them: policies with every reference resolved.

A small resolver is enough: names are in the template, parameters in samconfig.toml, and what only AWS knows
(a key's id, a secret's suffix) is any text of the right shape.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from samtranslator.yaml_helper import yaml_parse

from lab import CATALOG, SAMCONFIG
from tools.layers import ROOT
from tools.lint_template import FUNCTION, MACHINE, as_list
from tools.stack import unpublished

ENVIRONMENTS = sorted(path.stem for path in (CATALOG / "environments").glob("*.yaml"))
# Parameters that an environment can do without.
OPTIONAL = {
    "SlackSecretArn": "arn:aws:secretsmanager:us-west-2:111111111111:secret:slack-AbCdEf",
    "SlackSigningSecretArn": "arn:aws:secretsmanager:us-west-2:111111111111:secret:slack-signing-AbCdEf",
    "RegistrySecretArn": "arn:aws:secretsmanager:us-west-2:111111111111:secret:registry-AbCdEf",
    "GitHubStatusSecretArn": "arn:aws:secretsmanager:us-west-2:111111111111:secret:github-status-AbCdEf",
    "PrometheusSecretArn": "arn:aws:secretsmanager:us-west-2:111111111111:secret:prometheus-AbCdEf",
    "PrometheusWorkspaceArn": "arn:aws:aps:us-west-2:111111111111:workspace/ws-1",
    "DatabaseSubnetIds": "subnet-1,subnet-2",
    "DatabaseClientGroupId": "sg-1",
}


class Role(msgspec.Struct, frozen=True):
    """One role: of a function or machine by its logical id, or of its own."""

    logical: str
    name: str
    account: str
    statements: list[dict[str, Any]]
    trust: dict[str, Any] = {}


def parameters(deploy: Mapping[str, Any]) -> dict[str, str]:
    """The parameter overrides of a section of samconfig.toml."""
    return dict(pair.split("=", 1) for pair in deploy.get("parameter_overrides", ()))


class Resolver:
    """Resolves one environment's template."""

    def __init__(self, environment: str) -> None:
        self.template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
        self.resources: dict[str, Any] = self.template["Resources"]
        settings = tomllib.loads(SAMCONFIG.read_text())[environment]["deploy"]["parameters"]
        self.region: str = settings["region"]
        given = parameters(settings)
        self.account = given["ListenerArns"].split(":")[4]
        declared = self.template["Parameters"]
        # What may be left out is taken as given: a role is checked with all that it can have.
        given |= {name: OPTIONAL[name] for name in OPTIONAL if name not in given}
        self.values: dict[str, Any] = {
            name: spec.get("Default", "") for name, spec in declared.items()
        } | given
        for name, spec in declared.items():
            if spec["Type"] == "CommaDelimitedList":
                self.values[name] = [item for item in str(self.values[name]).split(",") if item]
        self.values |= {"AWS::Partition": "aws", "AWS::Region": self.region, "AWS::AccountId": self.account}
        self.values |= {"AWS::StackName": f"candlefish-{environment}", "AWS::URLSuffix": "amazonaws.com"}

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def identify(self, logical: str, attribute: str) -> str:
        """What Ref (`attribute` empty) or GetAtt gives for a resource."""
        if logical not in self.resources:
            return self.arn("unknown", f"{logical}/{attribute}")
        definition = self.resources[logical]
        properties, kind = definition.get("Properties", {}), definition["Type"]
        named = next((self(v) for k, v in properties.items() if k in NAMES), logical)
        service, prefix = ARNS.get(kind, ("x", ""))
        arn = f"arn:aws:s3:::{named}" if kind == "AWS::S3::Bucket" else self.arn(service, f"{prefix}{named}")
        if kind in ("AWS::IAM::OIDCProvider", "AWS::IAM::Role"):
            name = named if kind.endswith("Role") else self(properties["Url"]).removeprefix("https://")
            arn = f"arn:aws:iam::{self.account}:{prefix}{name}"
        if attribute or kind in REFERENCE_IS_ARN:
            return arn + ("-AbCdEf" if kind == "AWS::SecretsManager::Secret" else "")
        return str(named)

    def __call__(self, value: Any) -> Any:
        """A value with every intrinsic function resolved; None for AWS::NoValue."""
        if isinstance(value, list):
            found = [self(item) for item in value]
            return [item for item in found if item is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((kind, operand),) = value.items()
            if kind in INTRINSICS:
                return INTRINSICS[kind](self, operand)
        fields = {key: self(item) for key, item in value.items()}
        return {key: item for key, item in fields.items() if item is not None}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        if (published := unpublished(name)) != name:
            # A role may call every version of a function: those that run still, and those to come. For a version of
            # a machine Step Functions asks about the machine.
            arn = self.identify(published, "Arn")
            return arn if self.resources[published]["Type"] == MACHINE else f"{arn}:*"
        return self.values[name] if name in self.values else self.identify(name, "")

    def get_att(self, operand: Any) -> str:
        logical, _, attribute = (
            operand.partition(".") if isinstance(operand, str) else (operand[0], "", operand[1])
        )
        return self.identify(logical, attribute)

    def sub(self, operand: Any) -> str:
        text, more = (operand, {}) if isinstance(operand, str) else operand

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in more:
                return str(self(more[name]))
            return str(self.get_att(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^!}]+)\}", value, text)

    def condition(self, name: str) -> bool:
        return bool(self(self.template["Conditions"][name]))

    def choose(self, operand: list[Any]) -> Any:
        return self(operand[1] if self.condition(operand[0]) else operand[2])


NAMES = (
    "FunctionName",
    "Name",
    "TableName",
    "QueueName",
    "TopicName",
    "BucketName",
    "LogGroupName",
    "RoleName",
    "ManagedPolicyName",
)
ARNS = {
    FUNCTION: ("lambda", "function:"),
    MACHINE: ("states", "stateMachine:"),
    "AWS::DynamoDB::Table": ("dynamodb", "table/"),
    "AWS::SQS::Queue": ("sqs", ""),
    "AWS::SNS::Topic": ("sns", ""),
    "AWS::Events::EventBus": ("events", "event-bus/"),
    "AWS::Logs::LogGroup": ("logs", "log-group:"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "secret:"),
    "AWS::KMS::Key": ("kms", "key/"),
    "AWS::IAM::OIDCProvider": ("iam", "oidc-provider/"),
    "AWS::IAM::Role": ("iam", "role/"),
}
REFERENCE_IS_ARN = frozenset(
    {MACHINE, "AWS::SNS::Topic", "AWS::SecretsManager::Secret", "AWS::IAM::OIDCProvider"}
)
INTRINSICS: Mapping[str, Any] = {
    "Ref": lambda r, o: r.ref(o),
    "Fn::GetAtt": lambda r, o: r.get_att(o),
    "Fn::Sub": lambda r, o: r.sub(o),
    "Fn::If": lambda r, o: r.choose(o),
    "Fn::Join": lambda r, o: o[0].join(map(str, r(o[1]))),
    "Fn::Split": lambda r, o: str(r(o[1])).split(o[0]),
    "Fn::Select": lambda r, o: r(o[1])[int(o[0])],
    "Fn::Not": lambda r, o: not r(o[0]),
    "Fn::And": lambda r, o: all(map(r, o)),
    "Fn::Or": lambda r, o: any(map(r, o)),
    "Fn::Equals": lambda r, o: r(o[0]) == r(o[1]),
    "Condition": lambda r, o: r.condition(o) if isinstance(o, str) else {"Condition": r(o)},
}


@cache
def roles(environment: str) -> list[Role]:
    """Every role of an environment's stack."""
    return roles_of(Resolver(environment))


def roles_of(resolve: Resolver) -> list[Role]:
    """Every role of a stack."""
    found = []
    for logical, definition in resolve.resources.items():
        properties = definition.get("Properties", {})
        if definition["Type"] in (FUNCTION, MACHINE):
            documents = properties.get("Policies", [])
        elif definition["Type"] == "AWS::IAM::Role":
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        else:
            continue
        allowed = [s for document in resolve(documents) for s in as_list(document["Statement"])]
        trust = resolve(properties.get("AssumeRolePolicyDocument", {}))
        found.append(Role(logical, resolve.identify(logical, ""), resolve.account, allowed, trust))
    return found


def policies_for_people(resolve: Resolver) -> dict[str, list[dict[str, Any]]]:
    """The statements of a stack's managed policies, by the end of their names: `reader`, `on-call`."""
    return {
        str(resolve(properties["ManagedPolicyName"])).removeprefix(
            f"candlefish-{resolve.values['Environment']}-"
        ): resolve(properties["PolicyDocument"])["Statement"]
        for properties in (
            each["Properties"]
            for each in resolve.resources.values()
            if each["Type"] == "AWS::IAM::ManagedPolicy"
        )
    }
