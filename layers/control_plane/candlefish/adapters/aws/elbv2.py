"""Listener rules, target groups and target health of an Application Load Balancer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.errors import Misconfigured, NotOnboarded, Unavailable
from candlefish.invocation import seconds_to_write
from candlefish.names import ENVIRONMENT_TAG
from candlefish.service.model import RecordMark
from candlefish.traffic.ports import (
    GENERATION_TAG,
    NOBODYS,
    OWNER_TAG,
    REVISION_TAG,
    TAGS_AT_ONCE,
    Intention,
    RuleSpec,
    RuleTags,
    TargetGroupSpec,
    TargetHealth,
)
from candlefish.traffic.rules import forward, weights_of, with_weights

STATES = {
    "healthy": "healthy",
    "initial": "initial",
    "unhealthy": "unhealthy",
    "draining": "draining",
    "unused": "unused",
    "unavailable": "unhealthy",
}


# The largest page of DescribeRules.
RULES_AT_ONCE = 400
# AWS checks every 5 to 300 seconds, and waits for an answer for at most so many.
LONGEST_CHECK = 120
# Reads a rule beside what its writer does meanwhile.
LOOKS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="look-ahead")


class LoadBalancer:
    """`traffic.ports.Rules` and `traffic.ports.Onboarding` on ELBv2."""

    def __init__(self, client: Any, family: Callable[[], str] = lambda: "ipv4") -> None:
        """`family` says what addresses Pods have, `ipv4` or `ipv6`; it is asked when a target group is made or found."""
        self._client = client
        self._family = family
        self._ahead: dict[str, Future[dict[str, Any]]] = {}

    def read(self, rule: str) -> dict[str, int]:
        return weights_of(self._rule(rule))

    def look_ahead(self, rule: str) -> None:
        self._ahead[rule] = LOOKS.submit(self._rule, rule)

    def _rule(self, rule: str) -> dict[str, Any]:
        with aws_call(f"reading rule {rule}"):
            try:
                found = self._client.describe_rules(RuleArns=[rule])["Rules"]
            except ClientError as error:
                if code_of(error) != "RuleNotFound":
                    raise
                found = []
        if not found:
            raise NotOnboarded(
                f"listener rule {rule} does not exist any more; somebody deleted it: run candlefish onboard again"
            )
        described: dict[str, Any] = found[0]
        return described

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        """ELBv2 knows no conditions: whoever writes late is found by the look that follows (`traffic.shift`)."""
        ahead = self._ahead.pop(rule, None)
        described = ahead.result() if ahead else self._rule(rule)
        actions = with_weights(described, weights)
        if seconds_to_write() <= 0:
            raise Unavailable(
                f"writing the weights of rule {rule}: it took so long to come to it that somebody may have taken the "
                "service over and seen the end of whoever wrote before; nothing was written, the next attempt reads anew"
            )
        with aws_call(f"writing the weights of rule {rule}"):
            self._client.modify_rule(RuleArn=rule, Actions=actions)

    def health(self, target_group: str) -> TargetHealth:
        with aws_call(f"reading the target health of {target_group}"):
            found = self._client.describe_target_health(TargetGroupArn=target_group)
        counts = dict.fromkeys(STATES.values(), 0)
        reason = ""
        for target in found["TargetHealthDescriptions"]:
            health = target["TargetHealth"]
            counts[STATES.get(health["State"], "unhealthy")] += 1
            if health["State"] != "healthy":
                reason = health.get("Description") or health.get("Reason") or health["State"]
        return TargetHealth(reason=reason, **counts)

    def stamp(self, rule: str, mark: RecordMark) -> None:
        with aws_call(f"writing the mark of rule {rule}"):
            if _mark(self._tags([rule])[rule]) < mark:
                said = {GENERATION_TAG: mark.generation, REVISION_TAG: mark.revision}
                tags = [{"Key": key, "Value": str(value)} for key, value in said.items()]
                self._client.add_tags(ResourceArns=[rule], Tags=tags)

    def listed(self, listener: str) -> list[dict[str, Any]]:
        with aws_call(f"listing the rules of {listener}"):
            pages = self._client.get_paginator("describe_rules").paginate(
                ListenerArn=listener, PaginationConfig={"PageSize": RULES_AT_ONCE}
            )
            return [rule for page in pages for rule in page["Rules"]]

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        with aws_call(f"reading the tags of {len(rules)} rules"):
            found = self._tags(rules)
        return {
            arn: RuleTags(tags.get(OWNER_TAG, ""), tags.get(ENVIRONMENT_TAG, ""), _mark(tags))
            for arn, tags in found.items()
        }

    def _tags(self, arns: Sequence[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {arn: {} for arn in arns}
        for some in (arns[at : at + TAGS_AT_ONCE] for at in range(0, len(arns), TAGS_AT_ONCE)):
            for described in self._client.describe_tags(ResourceArns=list(some))["TagDescriptions"]:
                found[described["ResourceArn"]] = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
        return found

    # --- onboarding -------------------------------------------------------------------------

    def ensure_target_group(self, spec: TargetGroupSpec) -> str:
        with aws_call(f"making target group {spec.name}"):
            arn = self._ours(spec) or self._create_target_group(spec)
            self._client.modify_target_group_attributes(
                TargetGroupArn=arn,
                Attributes=[
                    {"Key": "deregistration_delay.timeout_seconds", "Value": str(spec.deregistration_delay)}
                ],
            )
        return arn

    def _ours(self, spec: TargetGroupSpec) -> str:
        """The target group that is there already; a stranger under the former name is passed by."""
        family = self._family()
        for name in filter(None, (spec.name, spec.former_name)):
            found = self._target_group(name)
            if found is None:
                continue
            arn: str = found["TargetGroupArn"]
            if refused := spec.why_not_ours(self._tags([arn])[arn], found.get("VpcId", "")):
                if name == spec.name:
                    raise Misconfigured(f"target group {arn} {refused}")
                continue
            if other := spec.why_other_protocol(found.get("ProtocolVersion", "HTTP1")):
                raise Misconfigured(f"target group {arn} {other}")
            if (takes := found.get("IpAddressType", "ipv4")) != family:
                raise Misconfigured(
                    f"target group {arn} takes {takes} addresses, and Pods of the cluster have {family} ones: delete it "
                    "when nothing uses it, and onboard again; nothing was changed"
                )
            return arn
        return ""

    def _target_group(self, name: str) -> dict[str, Any] | None:
        try:
            groups: list[dict[str, Any]] = self._client.describe_target_groups(Names=[name])["TargetGroups"]
        except ClientError as error:
            if code_of(error) != "TargetGroupNotFound":
                raise
            return None
        return groups[0] if groups else None

    def _create_target_group(self, spec: TargetGroupSpec) -> str:
        made = self._client.create_target_group(
            Name=spec.name,
            Protocol="HTTP",
            ProtocolVersion=spec.version,
            Port=spec.port,
            VpcId=spec.vpc,
            TargetType="ip",
            IpAddressType=self._family(),
            HealthCheckPath=spec.health_path,
            HealthCheckIntervalSeconds=spec.interval,
            HealthCheckTimeoutSeconds=min(LONGEST_CHECK, max(2, spec.interval - 1)),
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
            Matcher=spec.matcher,
            Tags=[{"Key": key, "Value": value} for key, value in spec.tags.items()],
        )
        arn: str = made["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def create_rule(self, listener: str, spec: RuleSpec, priority: int, weights: Mapping[str, int]) -> str:
        """Make a rule; its ARN."""
        with aws_call(f"making a rule for {spec.host} on {listener}"):
            made = self._client.create_rule(
                ListenerArn=listener,
                Priority=priority,
                Conditions=conditions(spec),
                Actions=[forward(weights)],
                Tags=[{"Key": key, "Value": value} for key, value in spec.tags.items()],
            )
        arn: str = made["Rules"][0]["RuleArn"]
        return arn


def conditions(spec: RuleSpec) -> list[dict[str, Any]]:
    """The conditions of a service's rule, as ELBv2 takes them."""
    made: list[dict[str, Any]] = [{"Field": "host-header", "HostHeaderConfig": {"Values": [spec.host]}}]
    if spec.header:
        name, value = spec.header
        made.append({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": [value]}})
    return made


def _mark(tags: Mapping[str, str]) -> RecordMark:
    """What the tags say; zeros where there are none, or somebody wrote what is no number."""
    said = (tags.get(name, "") for name in (REVISION_TAG, GENERATION_TAG))
    return RecordMark(*(int(each) if each.isdecimal() else 0 for each in said))


class Balancer(NamedTuple):
    """DNS name of a load balancer, and the hosted zone that alias records to it name."""

    dns_name: str
    zone: str


def address_of(elbv2: Any, listener: str) -> str:
    """The URL under which a listener is reached, by the name of its load balancer."""
    with aws_call(f"reading the address of {listener}"):
        found = elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    return f"{found['Protocol'].lower()}://{load_balancer_of(elbv2, listener).dns_name}:{found['Port']}"


def load_balancer_of(elbv2: Any, listener: str) -> Balancer:
    """The load balancer behind a listener's ARN."""
    with aws_call(f"reading the load balancer of {listener}"):
        arn = listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0]
        found = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    return Balancer(found["DNSName"], found["CanonicalHostedZoneId"])
