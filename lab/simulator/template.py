"""What template.yaml says of one environment: functions, machines, and what leads from one to another.

The template is read as it is. Only what the simulator acts on is read; a value that depends on something
that it does not know is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from candlefish.settings import listed
from lab.simulator.machines.substitution import substituted
from lab.templates import parse

ACCOUNT = "333333333333"
DEFAULT_BUS = "default"
# What AWS does when the template does not say otherwise.
TIMEOUT, ASYNC_RETRIES, RULE_RETRIES, EVENT_AGE = 3.0, 2, 185, 86400.0


class Unknown(Exception):
    """The template says something that the simulator does not know."""


class Function(msgspec.Struct, frozen=True):
    """A function as it is deployed. Times are seconds."""

    name: str
    arn: str
    timeout: float
    environment: dict[str, str]
    # None: no reserved concurrency.
    concurrency: int | None = None
    # How often an event that it failed on is tried again, and how old it may become.
    retries: int = ASYNC_RETRIES
    event_age: float = EVENT_AGE


class Machine(msgspec.Struct, frozen=True):
    """A state machine with everything filled in."""

    name: str
    arn: str
    definition: dict[str, Any]


class Way(msgspec.Struct, frozen=True):
    """How something gets to a target."""

    target: str
    retries: int = RULE_RETRIES
    event_age: float = EVENT_AGE


class Rule(msgspec.Struct, frozen=True):
    """Events of a bus that match go to a target."""

    name: str
    bus: str
    pattern: dict[str, Any]
    to: Way


class Schedule(msgspec.Struct, frozen=True):
    """A target that is called by the clock."""

    name: str
    expression: str
    # None: the event that EventBridge makes.
    input: str | None
    to: Way


class Queue(msgspec.Struct, frozen=True):
    """A queue that a function works off. Times are seconds."""

    name: str
    arn: str
    visibility: float
    receives: int
    consumer: str
    batch: int
    concurrency: int


class Stack(msgspec.Struct, frozen=True):
    """The stack of one environment."""

    environment: str
    region: str
    account: str
    bus: str
    functions: dict[str, Function]
    machines: dict[str, Machine]
    rules: tuple[Rule, ...]
    schedules: tuple[Schedule, ...]
    queue: Queue


def read(root: Path, environment: str, region: str, parameters: Mapping[str, str]) -> Stack:
    """The stack that a checkout's template makes for an environment.

    Raises
    ------
    Unknown
        A parameter has no value, or a value is made in a way that the simulator does not know.
    InvalidDefinition
        A definition has a name that the template does not fill in.
    """
    source = parse((root / "template.yaml").read_text())
    return _Reader(root, source, environment, region, parameters).stack()


class _Reader:
    def __init__(
        self,
        root: Path,
        source: dict[str, Any],
        environment: str,
        region: str,
        parameters: Mapping[str, str],
    ) -> None:
        self._root, self._source = root, source
        declared = {name: spec.get("Default") for name, spec in source["Parameters"].items()}
        self._values: dict[str, Any] = {**declared, **parameters, "Environment": environment}
        self._values |= {"AWS::Region": region, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}
        for name, spec in source["Parameters"].items():
            if spec["Type"] == "CommaDelimitedList" and self._values[name] is not None:
                self._values[name] = listed(self._values[name])
        self._environment, self._region = environment, region
        self._resources: dict[str, Any] = {
            name: each
            for name, each in source["Resources"].items()
            if "Condition" not in each or self._holds(each["Condition"])
        }

    def stack(self) -> Stack:
        functions = {each.arn: each for each in self._functions()}
        machines = {each.name: each for each in self._machines()}
        rules: list[Rule] = []
        schedules: list[Schedule] = []
        for name, properties in self._of("AWS::Events::Rule"):
            for target in properties["Targets"]:
                way = Way(self.value(target["Arn"]), *_patience(self.value(target.get("RetryPolicy", {}))))
                bus = self.value(properties.get("EventBusName", DEFAULT_BUS))
                rules.append(Rule(name, bus, self.value(properties["EventPattern"]), way))
        for kind in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine"):
            for owner, properties in self._of(kind):
                for name, event in properties.get("Events", {}).items():
                    self._event(f"{owner}{name}", self._arn(owner), event, rules, schedules)
        return Stack(
            self._environment,
            self._region,
            ACCOUNT,
            self._arn("Bus"),
            functions,
            machines,
            tuple(rules),
            tuple(schedules),
            self._queue(),
        )

    def _functions(self) -> Iterator[Function]:
        common = self._source["Globals"]["Function"]
        for logical, properties in self._of("AWS::Serverless::Function"):
            told = common["Environment"]["Variables"] | properties.get("Environment", {}).get("Variables", {})
            invoke = properties.get("EventInvokeConfig", {})
            environment = {name: str(self.value(value)) for name, value in told.items()}
            reserved = self.value(properties.get("ReservedConcurrentExecutions"))
            yield Function(
                name=Path(properties["CodeUri"]).name,
                arn=self._arn(logical),
                timeout=float(self.value(properties.get("Timeout", common.get("Timeout", TIMEOUT)))),
                environment=environment | {"AWS_REGION": self._region},
                concurrency=None if reserved is _NO_VALUE else reserved,
                retries=int(invoke.get("MaximumRetryAttempts", ASYNC_RETRIES)),
                event_age=float(invoke.get("MaximumEventAgeInSeconds", 6 * 3600)),
            )

    def _machines(self) -> Iterator[Machine]:
        for logical, properties in self._of("AWS::Serverless::StateMachine"):
            text = (self._root / properties["DefinitionUri"]).read_text()
            said = properties["DefinitionSubstitutions"].items()
            values = {name: str(self.value(value)) for name, value in said}
            name = Path(properties["DefinitionUri"]).name.partition(".")[0]
            yield Machine(name, self._arn(logical), substituted(text, values))

    def _event(
        self,
        name: str,
        target: str,
        event: Mapping[str, Any],
        rules: list[Rule],
        schedules: list[Schedule],
    ) -> None:
        properties = event["Properties"]
        way = Way(target, *_patience(self.value(properties.get("RetryPolicy", {}))))
        if event["Type"] == "Schedule":
            if self.value(properties.get("State", "ENABLED")) == "ENABLED":
                schedules.append(Schedule(name, properties["Schedule"], properties.get("Input"), way))
        elif event["Type"] == "EventBridgeRule":
            bus = self.value(properties.get("EventBusName", DEFAULT_BUS))
            rules.append(Rule(name, bus, self.value(properties["Pattern"]), way))
        else:
            raise Unknown(f"{name}: an event of type {event['Type']}")

    def _queue(self) -> Queue:
        # Of the queues that functions work off, the one of signals is what is simulated.
        logical = "SignalsQueue"
        mappings = [each for _, each in self._of("AWS::Lambda::EventSourceMapping")]
        (mapping,) = [each for each in mappings if each["EventSourceArn"]["Fn::GetAtt"][0] == logical]
        properties = self._resources[logical]["Properties"]
        return Queue(
            name=self.value(properties["QueueName"]),
            arn=self._arn(logical),
            visibility=float(properties["VisibilityTimeout"]),
            receives=int(properties["RedrivePolicy"]["maxReceiveCount"]),
            consumer=self.value(mapping["FunctionName"]),
            batch=int(mapping["BatchSize"]),
            concurrency=int(mapping["ScalingConfig"]["MaximumConcurrency"]),
        )

    def _of(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, each in self._resources.items():
            if each["Type"] == kind:
                yield name, each["Properties"]

    # --- values ---------------------------------------------------------------------------------

    def value(self, said: Any) -> Any:
        """A value with every intrinsic function of CloudFormation worked out."""
        if isinstance(said, list):
            found = [self.value(each) for each in said]
            return [each for each in found if each is not _NO_VALUE]
        if not isinstance(said, dict):
            return said
        if len(said) == 1:
            ((form, about),) = said.items()
            if form == "Ref":
                return self._ref(about)
            if form == "Fn::GetAtt":
                return self._attribute(*about)
            if form == "Fn::Sub":
                return re.sub(r"\$\{([\w:.]+)\}", lambda found: str(self._named(found.group(1))), about)
            if form == "Fn::If":
                return self.value(about[1] if self._holds(about[0]) else about[2])
            if form == "Fn::Join":
                return about[0].join(map(str, self.value(about[1])))
            if form == "Fn::Split":
                return str(self.value(about[1])).split(about[0])
            if form == "Fn::Select":
                return self.value(about[1])[int(about[0])]
            if form.startswith("Fn::"):
                raise Unknown(f"the intrinsic function {form}")
        values = {name: self.value(each) for name, each in said.items()}
        return {name: each for name, each in values.items() if each is not _NO_VALUE}

    def _named(self, name: str) -> Any:
        logical, _, attribute = name.partition(".")
        return self._attribute(logical, attribute) if attribute else self._ref(name)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._values:
            if self._values[name] is None:
                raise Unknown(f"parameter {name} has no value")
            return self._values[name]
        # One deployment for the whole of a day: a published version is its function or machine.
        return self._arn(re.sub(r"(?<=Machine)Version$|\.(?:Version|Alias)$", "", name))

    def _attribute(self, logical: str, attribute: str) -> str:
        if attribute == "Arn":
            return self._arn(logical)
        return f"{logical}.{attribute}"

    def _arn(self, logical: str) -> str:
        """What stands for a resource everywhere in the simulator; real where functions look into it."""
        properties = self._source["Resources"][logical].get("Properties", {})
        kind = self._source["Resources"][logical]["Type"]
        where = f"{self._region}:{ACCOUNT}"
        if kind == "AWS::Serverless::Function":
            return f"arn:aws:lambda:{where}:function:{self.value(properties['FunctionName'])}"
        if kind == "AWS::Serverless::StateMachine":
            return f"arn:aws:states:{where}:stateMachine:{self.value(properties['Name'])}"
        if kind == "AWS::SQS::Queue":
            return f"arn:aws:sqs:{where}:{self.value(properties['QueueName'])}"
        return f"arn:aws:{kind.split('::')[1].lower()}:{where}:{logical}"

    def _holds(self, condition: str) -> bool:
        return bool(self._worked_out(self._source["Conditions"][condition]))

    def _worked_out(self, said: Any) -> Any:
        """A condition, or a value inside one."""
        if not isinstance(said, dict):
            return said
        ((form, about),) = said.items()
        if form == "Condition":
            return self._holds(about)
        if form == "Fn::Not":
            return not self._worked_out(about[0])
        if form == "Fn::And":
            return all(self._worked_out(each) for each in about)
        if form == "Fn::Or":
            return any(self._worked_out(each) for each in about)
        if form == "Fn::Equals":
            return self._worked_out(about[0]) == self._worked_out(about[1])
        if form == "Fn::Join":
            return about[0].join(self._worked_out(about[1]))
        return self.value(said)


class _NoValue:
    pass


_NO_VALUE = _NoValue()


def _patience(policy: Mapping[str, Any]) -> tuple[int, float]:
    return int(policy.get("MaximumRetryAttempts", RULE_RETRIES)), float(
        policy.get("MaximumEventAgeInSeconds", EVENT_AGE)
    )
