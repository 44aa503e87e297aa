"""How an Application Load Balancer decides, as pure functions over its configuration.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

# `unused` targets belong to a group that is in no rule: nobody checks them.
State = Literal["initial", "healthy", "unhealthy", "unused", "draining"]


class Target(msgspec.Struct, frozen=True):
    """An address that takes requests."""

    host: str
    port: int


class Group(msgspec.Struct, frozen=True):
    """A target group. Times are seconds, already in lab time."""

    arn: str
    targets: tuple[Target, ...]
    health_path: str
    interval: float
    timeout: float
    healthy_threshold: int
    unhealthy_threshold: int
    # HTTP status codes that pass, such as ("200", "300-399").
    matcher: tuple[str, ...]
    # Whether any rule forwards to it, whatever the weight.
    in_use: bool

    @property
    def dimension(self) -> str:
        """Its name as a CloudWatch dimension: `targetgroup/NAME/ID`."""
        return self.arn.rsplit(":", 1)[1]


class Condition(msgspec.Struct, frozen=True):
    """One condition: a pattern of `values`, or an expression of `regexes`, must match.

    `header` names the header of an `http-header`; the values of a `query-string` are `key=value`, or the value alone.
    """

    field: str
    values: tuple[str, ...]
    header: str = ""
    regexes: tuple[str, ...] = ()


class Action(msgspec.Struct, frozen=True):
    """Forward by weight, or answer."""

    weights: tuple[tuple[str, int], ...] = ()
    status: int = 0
    body: str = ""
    content_type: str = "text/plain"
    location: str = ""


class Rule(msgspec.Struct, frozen=True):
    """A listener rule; the default rule has the last priority and no conditions."""

    priority: int
    conditions: tuple[Condition, ...]
    action: Action


class Listener(msgspec.Struct, frozen=True):
    """A listener, its rules by priority, and the load balancer's CloudWatch dimension `app/NAME/ID`."""

    arn: str
    region: str
    port: int
    load_balancer: str
    rules: tuple[Rule, ...]


class Config(msgspec.Struct, frozen=True):
    """Everything the data plane needs to know."""

    listeners: tuple[Listener, ...] = ()
    groups: tuple[Group, ...] = ()


def rule_for(
    listener: Listener, host: str, path: str, method: str, headers: Mapping[str, str], client: str = ""
) -> Rule | None:
    """The first rule by priority whose conditions all match. Header names are lower case; `client` is an address."""
    for rule in listener.rules:
        if all(_holds(condition, host, path, method, headers, client) for condition in rule.conditions):
            return rule
    return None


def _holds(
    condition: Condition, host: str, path: str, method: str, headers: Mapping[str, str], client: str
) -> bool:
    if condition.field == "host-header":
        return _fits(condition, host.partition(":")[0], any_case=True)
    if condition.field == "path-pattern":
        return _fits(condition, path.partition("?")[0], any_case=False)
    if condition.field == "http-header":
        value = headers.get(condition.header.lower())
        return value is not None and _fits(condition, value, any_case=True)
    if condition.field == "http-request-method":
        return method in condition.values
    if condition.field == "query-string":
        pairs = [part.partition("=") for part in path.partition("?")[2].split("&")]
        asked = [f"{key}={value}" for key, _, value in pairs] + [value for _, _, value in pairs]
        return any(fnmatchcase(each.lower(), wanted.lower()) for each in asked for wanted in condition.values)
    if condition.field == "source-ip":
        return bool(client) and any(
            ipaddress.ip_address(client) in ipaddress.ip_network(network) for network in condition.values
        )
    # Conditions that the lab does not know never match: no request is routed by guesswork.
    return False


def _fits(condition: Condition, text: str, *, any_case: bool) -> bool:
    wanted = [value.lower() for value in condition.values] if any_case else condition.values
    flags = re.IGNORECASE if any_case else 0
    return any(fnmatchcase(text.lower() if any_case else text, pattern) for pattern in wanted) or any(
        re.search(regex, text, flags) for regex in condition.regexes
    )


def pick_group(weights: Sequence[tuple[str, int]], chance: random.Random) -> str | None:
    """A group by weight; None when every weight is zero."""
    total = sum(weight for _, weight in weights)
    if total <= 0:
        return None
    at = chance.random() * total
    for arn, weight in weights:
        at -= weight
        if at < 0:
            return arn
    return weights[-1][0]


def eligible(group: Group, states: Mapping[Target, State]) -> tuple[Target, ...]:
    """The targets that requests may go to: the healthy ones, or all of them when none is (fail open)."""
    healthy = tuple(target for target in group.targets if states.get(target) == "healthy")
    return healthy or group.targets


def passes(matcher: Sequence[str], status: int) -> bool:
    """Whether a health check's status code is one that passes."""
    for part in matcher:
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
