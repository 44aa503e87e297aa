"""ELBv2: from moto's load balancers to what the data plane serves, and the truth about targets back.

moto calls every registered target healthy and forgets a deregistered one. Here a target's state
is what the data plane's health checks found, and a deregistered one drains first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from moto.elbv2 import models
from moto.elbv2.exceptions import ELBClientError, TargetGroupNotFoundError
from moto.elbv2.models import FakeHealthStatus, elbv2_backends

from lab.moto import ACCOUNT, replace
from lab.moto.listener_rules import LOGINS
from lab.quotas import RULES
from lab.traffic.routing import Action, Condition, Config, Group, Listener, Rule, Target

# The network of the load balancers' own addresses.
_NETWORK = "127.0.1"
# What is left of a duration in lab time, in seconds.
_LEAST_INTERVAL = 0.2
_LEAST_DELAY = 0.5
_LAST_PRIORITY = 1 << 30

# host, port, state, reason, description
HealthRow = tuple[str, int, str, str, str]


class Balancers:
    """Reads moto's backends for the data plane and answers DescribeTargetHealth from it."""

    def __init__(self, time_scale: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._scale = time_scale
        self._clock = clock
        self._lock = threading.Lock()
        self._health: dict[str, dict[tuple[str, int], HealthRow]] = {}
        # Group ARN -> (host, port) -> when it has drained.
        self._draining: dict[str, dict[tuple[str, int], float]] = {}
        # Load balancer ARN -> the last number of its address.
        self._numbers: dict[str, int] = {}

    def install(self) -> None:
        """Put this in the place of moto's own answers."""

        def deregister(group: Any, targets: list[dict[str, Any]]) -> None:
            leaving = [group.targets[t["Id"]] for t in targets if t["Id"] in group.targets]
            for target in targets:
                # AWS takes the deregistration of an unknown target as done.
                group.targets.pop(target["Id"], None)
            self._drain(group, leaving)

        def register(group: Any, targets: list[dict[str, Any]]) -> None:
            for target in targets:
                row = {"Id": target["Id"], "Port": int(target.get("Port") or group.port)}
                group.targets[target["Id"]] = row
                with self._lock:
                    self._draining.get(group.arn, {}).pop((row["Id"], row["Port"]), None)

        def describe(backend: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> list[Any]:
            group = backend.target_groups.get(target_group_arn)
            if group is None:
                raise TargetGroupNotFoundError()
            return self.target_health(group, targets)

        def create_rule(backend: Any, listener_arn: str, *args: Any, **more: Any) -> Any:
            _refuse_one_rule_more(backend, listener_arn)
            return original_create(backend, listener_arn, *args, **more)

        original_create = replace(models.ELBv2Backend, "create_rule", create_rule)
        replace(models.FakeTargetGroup, "deregister", deregister)
        replace(models.FakeTargetGroup, "register", register)
        replace(models.ELBv2Backend, "describe_target_health", describe)

    # --- the truth about targets ---------------------------------------------------------------

    def set_health(self, found: dict[str, list[HealthRow]]) -> None:
        """Take over what the data plane's health checks found."""
        with self._lock:
            self._health = {arn: {(row[0], row[1]): row for row in rows} for arn, rows in found.items()}

    def target_health(self, group: Any, asked: list[dict[str, Any]]) -> list[Any]:
        """The answer of DescribeTargetHealth."""
        in_use = group.arn in self._used_groups()
        now = self._clock()
        rows = []
        with self._lock:
            draining = self._draining.get(group.arn, {})
            for key in [key for key, until in draining.items() if until <= now]:
                del draining[key]
            known = self._health.get(group.arn, {})
            for target in group.targets.values():
                host, port = target["Id"], int(target["Port"])
                if not in_use:
                    row = (
                        host,
                        port,
                        "unused",
                        "Target.NotInUse",
                        "Target group is not configured to receive traffic from the load balancer",
                    )
                else:
                    initial = (
                        host,
                        port,
                        "initial",
                        "Elb.RegistrationInProgress",
                        "Target registration is in progress",
                    )
                    row = known.get((host, port), initial)
                    # The data plane has not heard yet that the group is in use.
                    row = initial if row[2] == "unused" else row
                rows.append(row)
            reason = "Target.DeregistrationInProgress"
            rows += [(h, p, "draining", reason, "Target deregistration is in progress") for h, p in draining]
        if asked:
            rows = [_asked(target, rows, group) for target in asked]
        return [
            FakeHealthStatus(host, str(port), group.health_check_port, state, reason or None, text or None)
            for host, port, state, reason, text in rows
        ]

    def _drain(self, group: Any, leaving: list[dict[str, Any]]) -> None:
        seconds = float(group.attributes.get("deregistration_delay.timeout_seconds", 300)) / self._scale
        until = self._clock() + max(seconds, min(_LEAST_DELAY, seconds * self._scale))
        if group.arn not in self._used_groups():
            return
        with self._lock:
            for target in leaving:
                self._draining.setdefault(group.arn, {})[target["Id"], int(target["Port"])] = until

    def _used_groups(self) -> set[str]:
        return {
            arn
            for backend in list(elbv2_backends[ACCOUNT].values())
            for balancer in list(backend.load_balancers.values())
            for listener in list(balancer.listeners.values())
            for rule in list(listener.rules.values())
            for action in rule.actions
            for arn, _ in _weights(action)
        }

    # --- where they are reached ------------------------------------------------------------------

    def reached_at(self, listener: str, port: int) -> str:
        """Let a listener's load balancer be called by an address of its own, and the listener by its port; the address.

        There is no DNS here that would know a name.
        """
        for backend in list(elbv2_backends[ACCOUNT].values()):
            for balancer in list(backend.load_balancers.values()):
                if found := balancer.listeners.get(listener):
                    found.port = str(port)
                    with self._lock:
                        number = self._numbers.setdefault(balancer.arn, len(self._numbers) + 1)
                    balancer.dns_name = f"{_NETWORK}.{number}"
                    return balancer.dns_name
        raise LookupError(f"there is no listener {listener}")

    # --- what the data plane serves --------------------------------------------------------------

    def config(self) -> Config:
        """Every listener and target group of the account, as the data plane takes them."""
        used = self._used_groups()
        listeners = []
        groups = []
        for region, backend in list(elbv2_backends[ACCOUNT].items()):
            for balancer in list(backend.load_balancers.values()):
                name = balancer.arn.split(":loadbalancer/")[1]
                for listener in list(balancer.listeners.values()):
                    rules = sorted(
                        (_rule(rule) for rule in list(listener.rules.values())), key=lambda r: r.priority
                    )
                    listeners.append(
                        Listener(listener.arn, region, int(listener.port or 80), name, tuple(rules))
                    )
            groups += [
                self._group(group, group.arn in used) for group in list(backend.target_groups.values())
            ]
        return Config(tuple(listeners), tuple(groups))

    def _group(self, group: Any, in_use: bool) -> Group:
        return Group(
            arn=group.arn,
            targets=tuple(Target(t["Id"], int(t["Port"])) for t in list(group.targets.values())),
            health_path=group.health_check_path or "/",
            interval=max(float(group.health_check_interval_seconds) / self._scale, _LEAST_INTERVAL),
            timeout=float(group.health_check_timeout_seconds),
            healthy_threshold=int(group.healthy_threshold_count),
            unhealthy_threshold=int(group.unhealthy_threshold_count),
            matcher=tuple(str((group.matcher or {}).get("HttpCode", "200")).split(",")),
            in_use=in_use,
        )


def _refuse_one_rule_more(backend: Any, listener_arn: str) -> None:
    """A load balancer takes so many rules beside the default ones, over all its listeners."""
    for balancer in list(backend.load_balancers.values()):
        if listener_arn in balancer.listeners:
            rules = [rule for each in balancer.listeners.values() for rule in each.rules.values()]
            if len([rule for rule in rules if rule.priority != "default"]) >= RULES:
                raise ELBClientError("TooManyRules", "The maximum number of rules has been reached")


def _asked(target: dict[str, Any], rows: list[HealthRow], group: Any) -> HealthRow:
    for row in rows:
        if row[0] == target["Id"] and row[1] == int(target.get("Port") or row[1]):
            return row
    text = "Target is not registered to the target group"
    return target["Id"], int(target.get("Port") or group.port), "unused", "Target.NotRegistered", text


def _rule(rule: Any) -> Rule:
    priority = _LAST_PRIORITY if rule.priority == "default" else int(rule.priority)
    conditions = tuple(_condition(condition) for condition in rule.conditions or ())
    return Rule(priority, conditions, _action(rule.actions))


def _condition(condition: dict[str, Any]) -> Condition:
    field = condition["Field"]
    values, regexes = condition.get("Values") or [], condition.get("RegexValues") or []
    header = ""
    for name, config in condition.items():
        if name.endswith("Config"):
            values = config.get("Values", values)
            regexes = config.get("RegexValues", regexes)
            header = config.get("HttpHeaderName", "")
    return Condition(field, tuple(map(_text, values)), header, tuple(map(str, regexes)))


def _text(value: Any) -> str:
    """A value of a condition; one of a query string has a key, or any."""
    if isinstance(value, dict):
        return f"{value['Key']}={value['Value']}" if value.get("Key") else str(value["Value"])
    return str(value)


def _action(actions: list[Any]) -> Action:
    for action in sorted(actions, key=lambda each: int(each.data.get("Order") or 0)):
        if action.type in LOGINS and (answer := _login(action)):
            return answer
        if action.type == "forward":
            return Action(weights=tuple(_weights(action)))
        if action.type == "fixed-response":
            config = action.data.get("FixedResponseConfig", {})
            return Action(
                status=int(config.get("StatusCode", 200)),
                body=config.get("MessageBody", ""),
                content_type=config.get("ContentType", "text/plain"),
            )
        if action.type == "redirect":
            config = action.data.get("RedirectConfig", {})
            status = 302 if config.get("StatusCode") == "HTTP_302" else 301
            host, path = config.get("Host", "#{host}"), config.get("Path", "/#{path}")
            return Action(status=status, location=f"{config.get('Protocol', 'http').lower()}://{host}{path}")
    return Action(status=503)


def _login(action: Any) -> Action | None:
    """What somebody who is not logged in is answered, and here nobody ever is; None when they are let through."""
    config = action.data.get(LOGINS[action.type], {})
    lets = config.get(
        "OnUnauthenticatedRequest", "deny" if action.type == "jwt-validation" else "authenticate"
    )
    if lets == "allow":
        return None
    if lets == "deny":
        return Action(status=401, body="Unauthorized")
    return Action(
        status=302, location=config.get("AuthorizationEndpoint") or config.get("UserPoolDomain", "")
    )


def _weights(action: Any) -> list[tuple[str, int]]:
    if action.type != "forward":
        return []
    groups = action.data.get("ForwardConfig", {}).get("TargetGroups")
    if groups:
        return [(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups]
    return [(action.data["TargetGroupArn"], 1)] if "TargetGroupArn" in action.data else []
