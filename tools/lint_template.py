"""Rules of our own about template.yaml and statemachines/; each finding says what to add.

    python -m tools.lint_template [template.yaml]

| rule | what it asks |
|---|---|
| task-timeout | every task of a state machine, and every machine, has TimeoutSeconds |
| task-outlives | what a task calls or starts has ended, by its own timeout, clearly before the task's |
| writers | who writes weights or to the cluster lives no longer than whoever takes a service over waits, or bounds what it writes |
| guarded-causes | expressions ask whether an error has a Cause before they use it: States.Timeout has none |
| retry-names | Retry and Catch name errors that exist: ours, Lambda's or Step Functions' |
| retry-policies | every Retry list is the policy of tools/retries.py that the comment above it names |
| published | a machine's definition calls published versions of functions and machines, a mapping an alias |
| own-role | every function and machine has a role of its own: inline Policies ([] for none) or a role that nobody else has |
| bounded | every role takes the permission boundary that is a parameter |
| no-wildcard | an IAM statement allows no action by wildcard, and no resource `*` without a comment above it |
| dead-letters | what calls a function asynchronously, and every rule, schedule and queue, has a dead-letter queue; a ping needs none |
| retention | every log group has a retention, and every function and machine writes to one of the template's |
| encrypted | table, queues, topics, log groups and secrets name the stack's KMS key |
| tls-only | the policy of every bucket, queue and topic denies what does not come over TLS |
| kept | a table has point-in-time recovery and stays when it leaves the stack |
| repeatable | a first deployment that fails leaves nothing that is in the way of the next |
| once | what has one name in an account is made in one region, or carries the region in its name |
| told-first | a budget waits for the policy of the topic that it tells, an alarm for that of the queue that hears of alarms |
| authorizer | every function URL and HTTP API route asks who calls; what does not says why in a comment |
| traced | machines trace, and functions go on with the trace of who calls them |
| cluster-access | a function with the Kubernetes layer has an access entry for its role, and nobody else has |
| in-network | a function that talks to the cluster, the front door or Prometheus can be put into their network, and nobody else |
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from samtranslator.yaml_helper import yaml_parse

from candlefish import errors
from tools.retries import drifted
from tools.stack import http_routes, is_ping

Resources = Mapping[str, Mapping[str, Any]]
FUNCTION = "AWS::Serverless::Function"
MACHINE = "AWS::Serverless::StateMachine"
# What Lambda and Step Functions themselves report.
THEIRS = re.compile(r"(States|Lambda|Sandbox|Runtime|StepFunctions|Sfn)\.\w+")
# A function called by these is called asynchronously.
ASYNCHRONOUS = frozenset({"Schedule", "ScheduleV2", "EventBridgeRule", "CloudWatchEvent", "SNS", "S3"})


class Template(msgspec.Struct, frozen=True):
    """A template: its text (comments are reasons), its parts, and its machines, read and as text."""

    text: str
    parameters: dict[str, Any]
    resources: dict[str, Any]
    shared: dict[str, Any]
    machines: dict[str, dict[str, Any]]
    definitions: dict[str, str]
    conditions: dict[str, Any] = {}

    def of(self, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for logical, definition in self.resources.items():
            if definition["Type"] in kinds:
                yield logical, definition.get("Properties", {})


Rule = Callable[[Template], Iterator[str]]
RULES: list[Rule] = []


def rule(check: Rule) -> Rule:
    """Make a function one of the rules; what it yields is what has to be mended."""
    RULES.append(check)
    return check


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML keeps the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(
                problem=f"{', '.join(twice)} twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


_Strict.add_multi_constructor("!", lambda loader, suffix, node: None)


def read(path: Path) -> Template:
    """Read a template and the state machines that it names; a duplicate key is an error."""
    text = path.read_text()
    yaml.load(text, _Strict)
    parsed = yaml_parse(text)
    uris = [d["Properties"]["DefinitionUri"] for d in parsed["Resources"].values() if d["Type"] == MACHINE]
    definitions = {uri: (path.parent / uri).read_text() for uri in uris}
    machines = {uri: yaml.safe_load(definition) for uri, definition in definitions.items()}
    shared = parsed.get("Globals", {}).get("Function", {})
    return Template(
        text,
        parsed.get("Parameters", {}),
        parsed["Resources"],
        shared,
        machines,
        definitions,
        parsed.get("Conditions", {}),
    )


# --- state machines -----------------------------------------------------------------------


def states_of(machine: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state of a machine, those inside Map and Parallel too, with where it stands."""
    for name, state in machine["States"].items():
        yield f"{where} {name}", state
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor"), state.get("Iterator")):
            if inner:
                yield from states_of(inner, f"{where} {name} >")


@rule
def task_timeout(template: Template) -> Iterator[str]:
    for uri, machine in template.machines.items():
        if "TimeoutSeconds" not in machine:
            yield f"{uri}: the machine has no TimeoutSeconds; without one an execution may run for a year"
        for where, state in states_of(machine, uri):
            if state["Type"] == "Task" and not {"TimeoutSeconds", "TimeoutSecondsPath"} & state.keys():
                yield f"{where}: the task has no TimeoutSeconds; without one it may wait for ever"


# Seconds that a task lives longer than what it calls: a cold start, and the answer's way back.
MARGIN = 10


@rule
def task_outlives(template: Template) -> Iterator[str]:
    for _, properties in template.of(MACHINE):
        uri = properties["DefinitionUri"]
        called = {
            name: _named(value) for name, value in properties.get("DefinitionSubstitutions", {}).items()
        }
        for where, state in states_of(template.machines[uri], uri):
            arguments, allowed = state.get("Arguments", {}), state.get("TimeoutSeconds")
            if not isinstance(arguments, dict) or not isinstance(allowed, int):
                continue
            callee = str(arguments.get("FunctionName", arguments.get("StateMachineArn", "")))
            if "StateMachineArn" in arguments and ".sync" not in state["Resource"]:
                continue
            logical = called.get(callee.strip("${}"), "")
            lives = _lives(template, logical)
            if lives is not None and lives + MARGIN > allowed:
                yield (
                    f"{where}: the task ends after {allowed} s, {logical} only after {lives} s: what it still does "
                    f"then nobody waits for; give the task at least {lives + MARGIN} s"
                )


def _named(value: Any) -> str:
    """The resource that a substitution names, by whatever version."""
    return re.sub(r"\.?Version$", "", str(value.get("Ref", ""))) if isinstance(value, dict) else ""


def _lives(template: Template, logical: str) -> int | None:
    """Seconds that a function or a machine may take at most; None where it is neither."""
    definition = template.resources.get(logical, {})
    properties = definition.get("Properties", {})
    if definition.get("Type") == MACHINE:
        return int(template.machines[properties["DefinitionUri"]]["TimeoutSeconds"])
    if definition.get("Type") != FUNCTION:
        return None
    timeout = properties.get("Timeout", template.shared.get("Timeout", 3))
    return _most(template, timeout) if isinstance(timeout, dict) else int(timeout)


def _most(template: Template, timeout: Mapping[str, Any]) -> int:
    """The most that a parameter can say; a parameter without MaxValue may say anything."""
    parameter = template.parameters[timeout["Ref"]]
    return int(parameter.get("MaxValue", 10**9))


# What a function may write, the parameter that says how long whoever takes over waits for such writers, and the
# variable that tells a function which lives longer within how many seconds it has to have sent what it writes.
WEIGHTS = ("WriterTimeoutSeconds", "WRITERS_LIVE_SECONDS")
CLUSTER = ("ClusterWriterTimeoutSeconds", "CLUSTER_WRITERS_LIVE_SECONDS")


@rule
def writers(template: Template) -> Iterator[str]:
    groups = {
        str(p["PrincipalArn"]): p.get("KubernetesGroups", ()) for _, p in template.of("AWS::EKS::AccessEntry")
    }
    for logical, properties in template.of(FUNCTION):
        role = str({"Fn::GetAtt": [f"{logical}Role", "Arn"]})
        if "elasticloadbalancing:ModifyRule" in _allowed(properties):
            yield from _unbounded(template, logical, properties, "weights", *WEIGHTS)
        if "candlefish-release" in groups.get(role, ()) and not _reads_only(template.text, logical):
            yield from _unbounded(template, logical, properties, "to the cluster", *CLUSTER)


def _unbounded(
    template: Template, logical: str, properties: Mapping[str, Any], what: str, parameter: str, told: str
) -> Iterator[str]:
    lives, most = _lives(template, logical), _most(template, {"Ref": parameter})
    variables = properties.get("Environment", {}).get("Variables", {})
    if (lives is None or lives > most) and variables.get(told) != {"Ref": parameter}:
        yield (
            f"{logical}: it may write {what} for {lives} s, and whoever takes a service over waits for {most}: make "
            f"its Timeout !Ref {parameter}, or give it {told} and let it write within that (candlefish/invocation.py)"
        )


def _allowed(properties: Mapping[str, Any]) -> set[str]:
    """The actions that a function's own statements allow."""
    found = (
        s
        for policy in properties.get("Policies", ())
        if "Statement" in policy
        for s in as_list(policy["Statement"])
    )
    chosen = (s.get("Fn::If", (None, s, None))[1] for s in found)
    return {
        str(action) for s in chosen if s.get("Effect") == "Allow" for action in as_list(s.get("Action", []))
    }


def _reads_only(text: str, logical: str) -> bool:
    """Whether a comment in the function says that it changes nothing in the cluster."""
    return bool(re.search(r"# It reads the cluster only", _section(text, logical)))


@rule
def guarded_causes(template: Template) -> Iterator[str]:
    for uri, machine in template.machines.items():
        for where, state in states_of(machine, uri):
            for expression in _expressions(state):
                for used in set(re.findall(r"\$[\w.]+\.Cause\b", expression)):
                    if f"$exists({used})" not in expression:
                        yield f"{where}: {used} may be missing; say what stands there else: $exists({used}) ? ..."


def _expressions(value: Any) -> Iterator[str]:
    """Every expression in a state."""
    if isinstance(value, str) and value.startswith("{%"):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _expressions(inner)


@rule
def retry_names(template: Template) -> Iterator[str]:
    for uri, machine in template.machines.items():
        for where, state in states_of(machine, uri):
            for clause in (*state.get("Retry", ()), *state.get("Catch", ())):
                for name in clause["ErrorEquals"]:
                    if not THEIRS.fullmatch(name) and not hasattr(errors, name):
                        yield f"{where}: it waits for {name}, which is no error of candlefish/errors.py or of AWS"


@rule
def retry_policies(template: Template) -> Iterator[str]:
    for uri, definition in template.definitions.items():
        for found in drifted(definition):
            yield f"{uri} {found}"


@rule
def published(template: Template) -> Iterator[str]:
    """What a running execution calls must not change under it."""
    latest = {logical for logical, _ in template.of(FUNCTION, MACHINE)}
    for logical, properties in template.of(MACHINE):
        for name, value in properties.get("DefinitionSubstitutions", {}).items():
            target = value.get("Ref") or value.get("Fn::GetAtt", [""])[0] if isinstance(value, dict) else ""
            if target in latest:
                kind = template.resources[target]["Type"]
                wanted = f"{target}Version" if kind == MACHINE else f"{target}.Version"
                yield f"{logical}: {name} is whatever is newest; name what was published: !Ref {wanted}"
    for logical, properties in template.of("AWS::Lambda::EventSourceMapping"):
        if (target := properties["FunctionName"].get("Ref")) in latest:
            yield f"{logical}: it calls what was not published; name the alias: !Ref {target}.Alias"


# --- IAM ----------------------------------------------------------------------------------


@rule
def own_role(template: Template) -> Iterator[str]:
    roles = Counter(str(properties.get("Role")) for _, properties in template.of(FUNCTION, MACHINE))
    for logical, properties in template.of(FUNCTION, MACHINE):
        role = properties.get("Role")
        if role is not None and roles[str(role)] > 1:
            yield f"{logical}: it shares the role {role}; give it one of its own"
        if role is None and properties.get("Policies") is None:
            yield f"{logical}: it has no Policies; write what it may do, with resources, and [] where that is nothing"
        for policy in properties.get("Policies", ()):
            if isinstance(policy, str):
                yield f"{logical}: the managed policy {policy} allows more than it needs; write statements"


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every IAM statement of the template that allows something, with where it stands."""

    def documents(properties: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield from (policy for policy in properties.get("Policies", ()) if "Statement" in policy)
        yield from (
            policy["PolicyDocument"]
            for policy in properties.get("Policies", ())
            if "PolicyDocument" in policy
        )

    for logical, definition in template.resources.items():
        for document in documents(definition.get("Properties", {})):
            found = document["Statement"]
            for statement in as_list(found):
                # What a condition of the template chooses between counts as if it were always there.
                _, statement, _ = statement.get("Fn::If", (None, statement, None))
                if statement["Effect"] == "Allow":
                    yield f"{logical} {statement.get('Sid', '')}".strip(), statement


@rule
def bounded(template: Template) -> Iterator[str]:
    for logical, properties in template.of(FUNCTION, MACHINE, "AWS::IAM::Role"):
        everywhere = template.shared if template.resources[logical]["Type"] == FUNCTION else {}
        if "PermissionsBoundary" not in {**everywhere, **properties}:
            yield f"{logical}: its role has no PermissionsBoundary; take the parameter, as the others do"


@rule
def no_wildcard(template: Template) -> Iterator[str]:
    lines = template.text.splitlines()
    for where, statement in statements(template):
        for action in as_list(statement.get("Action", "*")):
            if "*" in str(action):
                yield f"{where}: it allows {action}; name the actions"
        if "*" in [r for r in as_list(statement.get("Resource", [])) if isinstance(r, str)]:
            sid = statement.get("Sid")
            if not sid:
                yield f"{where}: a statement about every resource needs a Sid and a comment that says why"
            elif not _reasoned(lines, where.split()[0], sid):
                yield f'{where}: it is about every resource ("*") and no comment above it says why'


def _reasoned(lines: list[str], logical: str, sid: str) -> bool:
    """Whether a comment stands right above the statement of that Sid in that resource."""
    start = next((n for n, line in enumerate(lines) if line == f"  {logical}:"), 0)
    for number in range(start, len(lines)):
        if re.search(rf"Sid: {re.escape(sid)}\b", lines[number]):
            return lines[number - 1].lstrip().startswith("#")
    return False


def as_list(value: Any) -> list[Any]:
    """IAM takes one or a list of almost everything."""
    return value if isinstance(value, list) else [value]


# --- what must not get lost -----------------------------------------------------------------


@rule
def dead_letters(template: Template) -> Iterator[str]:
    targets = {str(p.get("DeadLetterConfig", {}).get("Arn")) for _, p in template.of("AWS::Events::Rule")}
    for logical, properties in template.of(FUNCTION):
        events = properties.get("Events", {})
        asynchronous = {
            name for name, event in events.items() if event["Type"] in ASYNCHRONOUS and not is_ping(event)
        }
        for name in asynchronous:
            kind, settings = events[name]["Type"], events[name]["Properties"]
            if kind != "SNS" and "DeadLetterConfig" not in settings:
                yield f"{logical}: event {name} has no DeadLetterConfig; what cannot be delivered would be gone"
            if kind == "SNS" and "RedrivePolicy" not in settings:
                yield f"{logical}: event {name} has no RedrivePolicy; what cannot be delivered would be gone"
            if kind != "SNS" and "RetryPolicy" not in settings:
                yield f"{logical}: event {name} has no RetryPolicy; the default may deliver it a day late"
        failure = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure")
        if asynchronous and not failure and "DeadLetterQueue" not in properties:
            yield f"{logical}: it is called asynchronously; add EventInvokeConfig with OnFailure"
    for logical, properties in template.of(MACHINE):
        for name, event in properties.get("Events", {}).items():
            if event["Type"] in ASYNCHRONOUS and "DeadLetterConfig" not in event["Properties"]:
                yield f"{logical}: event {name} has no DeadLetterConfig; what cannot be delivered would be gone"
    for logical, properties in template.of("AWS::Events::Rule"):
        for target in properties.get("Targets", ()):
            if "DeadLetterConfig" not in target:
                yield f"{logical}: target {target.get('Id')} has no DeadLetterConfig"
    for logical, properties in template.of("AWS::Scheduler::Schedule"):
        if "DeadLetterConfig" not in properties.get("Target", {}):
            yield f"{logical}: the schedule's target has no DeadLetterConfig"
    for logical, properties in template.of("AWS::SNS::Subscription"):
        if "RedrivePolicy" not in properties:
            yield f"{logical}: the subscription has no RedrivePolicy"
        elif (queue := properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]) not in _from_sns(
            template
        ):
            yield f"{logical}: the policy of {queue} does not let sns.amazonaws.com send; dead letters would be lost"
    yield from _queues(template, targets)


def _from_sns(template: Template) -> set[str]:
    """The queues that SNS may send to."""
    return {
        queue["Ref"]
        for _, properties in template.of("AWS::SQS::QueuePolicy")
        for queue in properties["Queues"]
        if any(
            each.get("Principal") == {"Service": "sns.amazonaws.com"} and each["Effect"] == "Allow"
            for each in as_list(properties["PolicyDocument"]["Statement"])
        )
    }


def _queues(template: Template, targets: set[str]) -> Iterator[str]:
    text = str({k: v for k, v in template.resources.items() if v["Type"] != "AWS::SQS::QueuePolicy"})
    for logical, properties in template.of("AWS::SQS::Queue"):
        used_as_dead_letters = re.search(
            rf"(deadLetterTargetArn|DeadLetterConfig|Destination|DeadLetterQueue|RedrivePolicy)[^}}]*{logical}\b",
            text,
        )
        if "RedrivePolicy" not in properties and not used_as_dead_letters:
            yield f"{logical}: the queue has no RedrivePolicy; a message that nobody can handle would go round for ever"


# --- logs, keys, callers ----------------------------------------------------------------------


@rule
def retention(template: Template) -> Iterator[str]:
    for logical, properties in template.of("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in properties:
            yield f"{logical}: the log group has no RetentionInDays; it would grow for ever"
    for logical, properties in template.of(FUNCTION):
        logging = {**template.shared.get("LoggingConfig", {}), **properties.get("LoggingConfig", {})}
        if logging.get("LogGroup", {}).get("Ref") not in template.resources:
            yield f"{logical}: it writes to a log group that is not in the template; Lambda makes one without retention"
        if logging.get("LogFormat") != "JSON":
            yield f"{logical}: it does not log JSON"
    for logical, properties in template.of(MACHINE):
        if not properties.get("Logging", {}).get("Destinations"):
            yield f"{logical}: the machine has no Logging"


# Type -> the property that names the key.
KEYS = {
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
}


@rule
def encrypted(template: Template) -> Iterator[str]:
    for kind, name in KEYS.items():
        for logical, properties in template.of(kind):
            if name not in properties:
                yield f"{logical}: it is not encrypted with the stack's key; set {name}"
    for logical, properties in template.of("AWS::DynamoDB::Table"):
        if "KMSMasterKeyId" not in properties.get("SSESpecification", {}):
            yield f"{logical}: the table is not encrypted with the stack's key; set SSESpecification.KMSMasterKeyId"


# Type -> the type of its policy, and where that names it.
POLICIES = {
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
}


@rule
def tls_only(template: Template) -> Iterator[str]:
    for kind, (policy, names) in POLICIES.items():
        secure = {
            named["Ref"]
            for _, properties in template.of(policy)
            for named in as_list(properties[names])
            if any(map(_denies_plain_text, as_list(properties["PolicyDocument"]["Statement"])))
        }
        for logical, _ in template.of(kind):
            if logical not in secure:
                yield f"{logical}: no policy denies what does not come over TLS; add one with aws:SecureTransport"


def _denies_plain_text(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    everybody = statement.get("Principal") == "*"
    return statement["Effect"] == "Deny" and everybody and condition == {"aws:SecureTransport": "false"}


@rule
def kept(template: Template) -> Iterator[str]:
    for logical, properties in template.of("AWS::DynamoDB::Table"):
        recovery = properties.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{logical}: the table has no point-in-time recovery"
        definition = template.resources[logical]
        if not {"DeletionPolicy", "UpdateReplacePolicy"} <= definition.keys():
            yield f"{logical}: the table would go with the stack; add DeletionPolicy and UpdateReplacePolicy"


@rule
def repeatable(template: Template) -> Iterator[str]:
    for logical, definition in template.resources.items():
        if definition.get("DeletionPolicy") == "Retain":
            yield f"{logical}: it stays when its first deployment fails, and the next one finds it; RetainExceptOnCreate"
        if definition.get("Properties", {}).get("DeletionProtectionEnabled"):
            yield f"{logical}: protected, it cannot be taken back when its first deployment fails; tools/protect.py does it"


# Type -> the property that names it; IAM and Budgets know no regions.
GLOBAL = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::OIDCProvider": "Url",
    "AWS::Budgets::Budget": "Budget",
}


@rule
def once(template: Template) -> Iterator[str]:
    for kind, name in GLOBAL.items():
        for logical, properties in template.of(kind):
            if name not in properties or "${AWS::Region}" in str(properties[name]):
                continue
            if not _at_home(template, template.resources[logical].get("Condition", "")):
                yield f"{logical}: an account has it once, and the recovery region's stack would make it again; IsHome"


def _at_home(template: Template, condition: str) -> bool:
    """Whether a condition holds in the environment's own region alone."""
    named = re.findall(r"'Condition': '(\w+)'", str(template.conditions.get(condition)))
    return condition == "IsHome" or any(_at_home(template, each) for each in named)


@rule
def told_first(template: Template) -> Iterator[str]:
    policies = {
        told["Ref"]: logical
        for kind, names in POLICIES.values()
        for logical, p in template.of(kind)
        for told in as_list(p[names])
    }
    topics = {logical for logical, _ in template.of("AWS::SNS::Topic")}
    for logical, properties in template.of("AWS::Budgets::Budget"):
        for topic in sorted(topics & policies.keys()):
            if str({"Ref": topic}) in str(properties) and not _waits(template, logical, policies[topic]):
                yield f"{logical}: it is refused until it may publish to {topic}; DependsOn: {policies[topic]}"
    # A rule exists before what names it and lets it deliver: what it hears of meanwhile is a dead letter of every new stack.
    hears = {
        (queue := target["Arn"]["Fn::GetAtt"][0]): policies.get(queue)
        for _, p in template.of("AWS::Events::Rule")
        if _hears_of_alarms(p.get("EventPattern", {}))
        for target in p["Targets"]
    }
    # SAM makes the permission of a function's event, and names it so.
    hears |= {
        logical: f"{logical}{name}Permission"
        for logical, p in template.of(FUNCTION)
        for name, event in p.get("Events", {}).items()
        if _hears_of_alarms(event["Properties"].get("Pattern", {}))
    }
    for logical, _ in template.of("AWS::CloudWatch::Alarm"):
        for told, door in hears.items():
            if not _waits(template, logical, door):
                yield f"{logical}: {told} takes no event of it yet; DependsOn: {door}"


def _waits(template: Template, logical: str, other: str | None) -> bool:
    return other in as_list(template.resources[logical].get("DependsOn", []))


def _hears_of_alarms(pattern: Mapping[str, Any]) -> bool:
    return "aws.cloudwatch" in pattern.get("source", ())


@rule
def authorizer(template: Template) -> Iterator[str]:
    for logical, properties in template.of(FUNCTION):
        if properties.get("FunctionUrlConfig", {}).get(
            "AuthType", "AWS_IAM"
        ) != "AWS_IAM" and not _open_reason(template.text, logical):
            yield f"{logical}: its URL asks nobody who they are; use AWS_IAM, or say in a comment above AuthType what does"
        for name, event in properties.get("Events", {}).items():
            if event["Type"] in ("Api", "HttpApi") and not event["Properties"].get("Auth"):
                yield f"{logical}: route {name} has no Auth"
    for route in http_routes(template.resources):
        if not route.signed and not _open_route_reason(template.text, route.key):
            yield f"{route.key}: it asks nobody for a token; add security, or say in a comment above its path why"


def _open_route_reason(text: str, key: str) -> bool:
    """Whether a comment stands above that path of an HTTP API, or above the paths that it follows without one between."""
    path = re.escape(key.partition(" ")[2])
    return bool(
        re.search(rf"\n *#[^\n]+\n(?: +/[^\n]*:\n(?: +(?:get|post): \{{x-[^\n]*\n)+)* +{path}:\n", text)
    )


def _open_reason(text: str, logical: str) -> bool:
    """Whether a comment stands above the open function URL of that resource."""
    return bool(re.search(r"#[^\n]+\n\s*FunctionUrlConfig:", _section(text, logical)))


def _section(text: str, logical: str) -> str:
    """What stands in the template about a resource."""
    parts = re.split(r"(?m)^  (?=\w+:$)", text)
    return next((part for part in parts if part.startswith(f"{logical}:")), "")


@rule
def traced(template: Template) -> Iterator[str]:
    for logical, properties in template.of(FUNCTION):
        if properties.get("Tracing", template.shared.get("Tracing")) not in ("Active", "PassThrough"):
            yield f"{logical}: Tracing is neither Active nor PassThrough"
    for logical, properties in template.of(MACHINE):
        if not properties.get("Tracing", {}).get("Enabled"):
            yield f"{logical}: Tracing is not enabled"


@rule
def cluster_access(template: Template) -> Iterator[str]:
    entries = list(template.of("AWS::EKS::AccessEntry"))
    known = {str(properties["PrincipalArn"]): logical for logical, properties in entries}
    for logical, properties in template.of(FUNCTION):
        role = str({"Fn::GetAtt": [f"{logical}Role", "Arn"]})
        entry = known.pop(role, None)
        if {"Ref": "KubernetesLayer"} not in properties.get("Layers", ()):
            if entry:
                yield f"{entry}: {logical} does not talk to the cluster; remove the access entry"
        elif entry is None:
            yield f"{logical}: the cluster does not know its role; add an AWS::EKS::AccessEntry"
        elif template.resources[entry].get("Condition") != template.resources[logical].get("Condition"):
            yield f"{entry}: give it the condition of {logical}"
    for entry in known.values():
        yield f"{entry}: its principal is no function's role"


# What in a function's environment, or which statement of its policy, leads to something that may be private.
PRIVATE = frozenset({"PROMETHEUS_URL", "REGISTRY_SECRET"})
FRONT_DOOR = "FindFrontDoor"


@rule
def in_network(template: Template) -> Iterator[str]:
    for logical, properties in template.of(FUNCTION):
        variables = properties.get("Environment", {}).get("Variables", {})
        reaches = (
            {"Ref": "KubernetesLayer"} in properties.get("Layers", ())
            or PRIVATE & variables.keys()
            or FRONT_DOOR in str(properties.get("Policies"))
        )
        joins = str({"Ref": "FunctionSubnetIds"}) in str(properties.get("VpcConfig"))
        if reaches and not joins:
            yield f"{logical}: it talks to what may be private; give it VpcConfig with FunctionSubnetIds"
        if joins and not reaches:
            yield f"{logical}: it needs no network of ours, and would need a way to AWS out of it; remove VpcConfig"


def name_of(check: Rule) -> str:
    return check.__name__.replace("_", "-")


def findings(template: Template) -> list[str]:
    """What the rules find, each with the rule's name before it."""
    return [f"{name_of(check)}: {found}" for check in RULES for found in check(template)]


def main(path: Path) -> int:
    """Print the findings; how many there are."""
    found = findings(read(path))
    for line in found:
        print(line)
    return len(found)


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1] if len(sys.argv) > 1 else "template.yaml")) else 0)
