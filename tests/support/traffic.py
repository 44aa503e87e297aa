"""What shifting traffic needs of the world, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from candlefish.adapters.aws.elbv2 import conditions, forward
from candlefish.errors import NotOnboarded
from candlefish.service.model import RecordMark
from candlefish.service.record import ServiceRecord
from candlefish.traffic.ports import (
    NOBODYS,
    TAGS_AT_ONCE,
    Intention,
    RuleSpec,
    RuleTags,
    ShareSpec,
    TargetHealth,
)


class NoShares:
    """`traffic.ports.ShareOnboarding` where every service is behind a load balancer."""

    def ensure_share(self, spec: ShareSpec) -> str:
        raise AssertionError(f"{spec.service} is behind a load balancer")


class FakeRules:
    """`traffic.ports.Rules`: rules that do what they are told, and target groups as healthy as a test says."""

    def __init__(self, *records: ServiceRecord, healthy: int = 100) -> None:
        self.weights: dict[str, dict[str, int]] = {}
        for record in records:
            self.weights[record.rule] = record.weights_by_target_group()
            self.weights[record.smoke_rule] = record.weights_by_target_group()
        self.targets: defaultdict[str, TargetHealth] = defaultdict(lambda: TargetHealth(healthy=healthy))
        # What the rules' tags say, by the rule's ARN; each of them is tagged as a service's.
        self.marks: dict[str, RecordMark] = {}
        self._records = records
        # What stands beside ours on the listener, as DescribeRules gives it; logins by the rule's ARN.
        self.others: list[dict[str, Any]] = []
        self.logins: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[str] = []

    def read(self, rule: str) -> dict[str, int]:
        self.calls.append("read")
        if rule not in self.weights:
            raise NotOnboarded(f"listener rule {rule} does not exist")
        return dict(self.weights[rule])

    def look_ahead(self, rule: str) -> None:
        self.calls.append("look_ahead")

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        self.calls.append("write")
        self.weights[rule] = dict(weights)

    def health(self, target_group: str) -> TargetHealth:
        return self.targets[target_group]

    def stamp(self, rule: str, mark: RecordMark) -> None:
        if rule not in self.weights:
            raise NotOnboarded(f"listener rule {rule} does not exist")
        self.marks[rule] = max(self.marks.get(rule, RecordMark()), mark)

    def listed(self, listener: str) -> list[dict[str, Any]]:
        self.calls.append("listed")
        return self.others + [
            {
                "RuleArn": rule,
                "Priority": str(number),
                "Conditions": conditions(RuleSpec(f"{record.service}.example", {}, header)),
                "Actions": [*self.logins.get(rule, ()), {**forward(self.weights[rule]), "Order": 9}],
            }
            for number, record in enumerate(self._records, 1)
            for rule, header in (
                (record.rule, None),
                (record.smoke_rule, (record.smoke_header, record.smoke_token)),
            )
            if rule in self.weights
        ]

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        self.calls += ["tags"] * -(-len(rules) // TAGS_AT_ONCE)
        said = {
            rule: RuleTags(record.service, record.environment, self.marks.get(rule, RecordMark()))
            for record in self._records
            for rule in (record.rule, record.smoke_rule)
        }
        return {rule: said.get(rule, RuleTags()) for rule in rules}
