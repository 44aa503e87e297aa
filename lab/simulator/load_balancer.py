"""An Application Load Balancer in virtual time: rules whose weights its nodes take over one after the other.

What is configured and what requests meet differ for some seconds after every write (docs/architecture.md, I1):
`read` tells the first, `applied` the second. Where requests go without a healthy target: `targets.py`; a group
without any registered target, and a rule whose weights are all zero, answer 503
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from candlefish.adapters.aws.elbv2 import conditions
from candlefish.errors import Misconfigured, NotOnboarded
from candlefish.names import ENVIRONMENT_TAG
from candlefish.service.model import RecordMark, balancer_of, listener_of
from candlefish.traffic.ports import (
    NOBODYS,
    OWNER_TAG,
    Intention,
    RuleSpec,
    RuleTags,
    TargetGroupSpec,
    TargetHealth,
)
from candlefish.traffic.rules import forward
from lab.quotas import RULES
from lab.simulator.kernel import Kernel
from lab.simulator.targets import Address, TargetGroup

NODES = 3
# How long a node takes to have a new configuration, in seconds: from, to.
TAKEOVER = (0.5, 8.0)
Weights = dict[str, int]


class Rule:
    """A listener rule, and the weights that each node really has."""

    def __init__(self, arn: str, spec: RuleSpec, priority: int, weights: Weights, nodes: int) -> None:
        self.arn, self.spec, self.priority, self.weights = arn, spec, priority, weights
        self.writes = 0
        self.mark = RecordMark()
        # By node: the write that it has taken over, and the weights of it.
        self.nodes: list[tuple[int, Weights]] = [(0, weights)] * nodes

    def takes(self, host: str, headers: Mapping[str, str]) -> bool:
        """Whether the rule's conditions match; names of headers and hosts in any case."""
        if host.lower() != self.spec.host.lower():
            return False
        if self.spec.header is None:
            return True
        name, value = self.spec.header
        return {key.lower(): text for key, text in headers.items()}.get(name.lower()) == value


class LoadBalancer:
    """`traffic.ports.Rules`, `traffic.ports.Onboarding`, and the registrar that the cluster fills groups with.

    Parameters
    ----------
    listeners
        Their ARNs, where somebody knows them already; each is of a load balancer of its own.
    takeover
        From and to how many seconds a node takes to have a new configuration.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        name: str = "candlefish",
        region: str = "us-west-2",
        account: str = "123456789012",
        listeners: Sequence[str] = (),
        nodes: int = NODES,
        takeover: tuple[float, float] = TAKEOVER,
    ) -> None:
        self._kernel, self._nodes, self._takeover = kernel, nodes, takeover
        self._chance = kernel.chance("load balancer")
        self._prefix = f"arn:aws:elasticloadbalancing:{region}:{account}"
        own = f"{self._prefix}:listener/app/{name}/{self._id()}/{self._id()}"
        self.listeners = tuple(listeners) or (own,)
        # The first one; `dimension` is what CloudWatch calls its load balancer.
        self.listener = self.listeners[0]
        self.dimension = balancer_of(self.listener)
        # Of all rules.
        self.writes = 0
        self.groups: dict[str, TargetGroup] = {}
        # ARN by name as CloudWatch knows it, `targetgroup/name/id`.
        self.by_dimension: dict[str, str] = {}
        self._rules: dict[str, Rule] = {}
        # What each address answers its health path with; whoever is not here does not answer.
        self._answers: dict[str, int] = {}
        # Called with a rule's ARN before requests of it go somewhere else.
        self.before: list[Callable[[str], None]] = []

    # --- traffic.ports.Rules -------------------------------------------------------------------

    def read(self, rule: str) -> Weights:
        return dict(self._rule(rule).weights)

    def look_ahead(self, rule: str) -> None:
        """Writing costs no look here."""

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        found = self._rule(rule)
        self._use(weights)
        found.weights = dict(weights)
        found.writes += 1
        self.writes += 1
        for node in range(self._nodes):
            self._take_later(found, node, found.writes, found.weights)

    def health(self, target_group: str) -> TargetHealth:
        return self._group(target_group).health()

    def stamp(self, rule: str, mark: RecordMark) -> None:
        found = self._rule(rule)
        found.mark = max(found.mark, mark)

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        said = {arn: self._rule(arn) for arn in rules if arn in self._rules}
        return {arn: RuleTags() for arn in rules} | {
            arn: RuleTags(
                rule.spec.tags.get(OWNER_TAG, ""), rule.spec.tags.get(ENVIRONMENT_TAG, ""), rule.mark
            )
            for arn, rule in said.items()
        }

    # --- traffic.ports.Onboarding --------------------------------------------------------------

    def ensure_target_group(self, spec: TargetGroupSpec) -> str:
        for arn, group in self.groups.items():
            if group.spec.name == spec.name:
                if refused := spec.why_not_ours(group.spec.tags, group.spec.vpc):
                    raise Misconfigured(f"target group {arn} {refused}")
                return arn
        arn = f"{self._prefix}:targetgroup/{spec.name}/{self._id()}"
        self.groups[arn] = TargetGroup(self._kernel, arn, spec, self._before_group)
        self.by_dimension[arn.rpartition(":")[2]] = arn
        return arn

    def listed(self, listener: str) -> list[dict[str, Any]]:
        if listener not in self.listeners:
            raise Misconfigured(f"listing the rules of {listener}: One or more listeners not found")
        return [
            {
                "RuleArn": rule.arn,
                "Priority": str(rule.priority),
                "Conditions": conditions(rule.spec),
                "Actions": [forward(rule.weights)],
            }
            for rule in self._by_priority(listener)
        ]

    def create_rule(self, listener: str, spec: RuleSpec, priority: int, weights: Mapping[str, int]) -> str:
        if any(int(each["Priority"]) == priority for each in self.listed(listener)):
            raise Misconfigured(f"making a rule for {spec.host}: Priority '{priority}' is currently in use")
        if len([each for each in self._rules if balancer_of(each) == balancer_of(listener)]) >= RULES:
            raise Misconfigured(f"making a rule for {spec.host}: AWS refused with TooManyRules")
        self._use(weights)
        arn = f"{listener.replace(':listener/', ':listener-rule/')}/{self._id()}"
        self._rules[arn] = Rule(arn, spec, priority, dict(weights), self._nodes)
        return arn

    def delete_rule(self, rule: str) -> None:
        """Somebody deletes a rule by hand."""
        self._tell(rule)
        del self._rules[rule]

    # --- targets -------------------------------------------------------------------------------

    def register(self, target_group: str, targets: frozenset[Address]) -> None:
        """`lab.kube.runtime.TargetRegistrar`: make these the registered targets."""
        group = self._group(target_group)
        for address in group.registered():
            if address not in targets:
                group.deregister(address, self._chance.uniform(*self._takeover))
        for address in sorted(targets):
            group.register(address, self._answers.get(address[0], 0))

    def answers(self, host: str, status: int) -> None:
        """What an address answers its health path with from now on; 0 when nobody answers any more."""
        if self._answers.get(host, 0) != status:
            self._answers[host] = status
            for group in self.groups.values():
                group.answers(host, status)
            if not status:
                del self._answers[host]

    def before_address(self, host: str) -> None:
        """What answers at an address is about to change."""
        for group in self.groups.values():
            if group.knows(host):
                self._before_group(group)

    # --- where requests go ---------------------------------------------------------------------

    def applied(self, rule: str) -> list[Weights]:
        """The weights that requests really meet, node by node; none once the rule was deleted."""
        return [weights for _, weights in self._rules[rule].nodes] if rule in self._rules else []

    def dimensions_of(self, rule: str) -> list[str]:
        """The target groups of a rule, configured or still applied, as CloudWatch knows them."""
        found = self._rules[rule]
        arns = dict.fromkeys((*found.weights, *(arn for _, weights in found.nodes for arn in weights)))
        return [arn.rpartition(":")[2] for arn in arns]

    def rule_for(self, listener: str, host: str, headers: Mapping[str, str]) -> str | None:
        """The first rule of a listener by priority that takes a request; None when none does (404)."""
        return next((rule.arn for rule in self._by_priority(listener) if rule.takes(host, headers)), None)

    def _by_priority(self, listener: str) -> list[Rule]:
        of_it = [rule for rule in self._rules.values() if listener_of(rule.arn) == listener]
        return sorted(of_it, key=lambda rule: rule.priority)

    def _take_later(self, rule: Rule, node: int, write: int, weights: Weights) -> None:
        def take() -> None:
            has, before = rule.nodes[node]
            # A newer configuration that was faster stays.
            if has < write:
                if before != weights:
                    self._tell(rule.arn)
                rule.nodes[node] = (write, weights)

        self._kernel.later(self._chance.uniform(*self._takeover), take, f"node {node} takes weights over")

    def _before_group(self, group: TargetGroup) -> None:
        for rule in self._rules.values():
            if group.arn in rule.weights or any(group.arn in weights for _, weights in rule.nodes):
                self._tell(rule.arn)

    def _tell(self, rule: str) -> None:
        for each in self.before:
            each(rule)

    def _use(self, weights: Mapping[str, int]) -> None:
        for arn in weights:
            self._group(arn).use(lambda host: self._answers.get(host, 0))

    def _rule(self, rule: str) -> Rule:
        if rule not in self._rules:
            raise NotOnboarded(
                f"listener rule {rule} does not exist any more; somebody deleted it: run candlefish onboard again"
            )
        return self._rules[rule]

    def _group(self, target_group: str) -> TargetGroup:
        if target_group not in self.groups:
            raise Misconfigured(f"target group {target_group} not found")
        return self.groups[target_group]

    def _id(self) -> str:
        return f"{self._chance.getrandbits(64):016x}"
