"""Onboarding: two target groups, a rule and a smoke rule for a service, and its first record.

Every step looks before it makes, so that it can be run again at any time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from typing import Any

from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.read import effective
from candlefish.errors import Misconfigured
from candlefish.service.model import SLOTS, Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, new_record
from candlefish.traffic.ports import (
    ENVIRONMENT_TAG,
    OWNER_TAG,
    SLOT_TAG,
    Onboarding,
    RuleSpec,
    TargetGroupSpec,
)
from candlefish.traffic.rules import SMOKE_HEADER, smoke_token_of, weights_of

# ALB evaluates rules by priority, the lowest number first: smoke rules before user rules.
SMOKE_PRIORITIES = range(100, 1000)
USER_PRIORITIES = range(1000, 2000)


def onboard(
    name: str,
    *,
    catalog: Catalog,
    environment: Environment,
    listener: str,
    vpc: str,
    interval: int,
    deregistration_delay: int,
    balancer: Onboarding,
    records: ServiceRecords,
) -> ServiceRecord:
    """Make what a service needs on the load balancer, and its record. Existing pieces are kept.

    Raises
    ------
    Misconfigured
        A rule for the service's host exists that is not ours, or no priority is free.
    """
    service = effective(catalog.service(name), environment)
    tags = {OWNER_TAG: service.name, ENVIRONMENT_TAG: environment.name}
    groups: dict[Slot, str] = {
        slot: balancer.ensure_target_group(
            TargetGroupSpec(
                name=target_group_name(service.name, environment.name, slot),
                port=service.port,
                vpc=vpc,
                health_path=service.health_path,
                tags={**tags, SLOT_TAG: slot},
                interval=interval,
                deregistration_delay=deregistration_delay,
            )
        )
        for slot in SLOTS
    }
    weights = {groups["blue"]: 100, groups["green"]: 0}
    existing = balancer.rules(listener)
    taken = {int(rule["Priority"]) for rule in existing if rule["Priority"] != "default"}
    mine = {arn: rule for rule in existing for arn in [rule["RuleArn"]] if groups["blue"] in weights_of(rule)}
    rule = next((arn for arn, r in mine.items() if not smoke_token_of(r)), "")
    smoke = next((arn for arn, r in mine.items() if smoke_token_of(r)), "")
    if not rule:
        _refuse_foreign_rule(existing, service.host)
        spec = RuleSpec(service.host, tags)
        rule = balancer.create_rule(listener, spec, _free(USER_PRIORITIES, taken, listener), weights)
    token = smoke_token_of(mine[smoke]) if smoke else secrets.token_urlsafe(24)
    if not smoke:
        spec = RuleSpec(service.host, tags, (SMOKE_HEADER, token))
        smoke = balancer.create_rule(listener, spec, _free(SMOKE_PRIORITIES, taken, listener), weights)
    return records.create(
        new_record(
            environment.name,
            service.name,
            rule=rule,
            smoke_rule=smoke,
            smoke_token=token,
            target_groups=groups,
        )
    )


def target_group_name(service: str, environment: str, slot: Slot) -> str:
    """A name of at most 32 characters (ELBv2's limit), unique for service, environment and slot.

    Long service names lose their middle; the environment is shortened to four letters.
    """
    suffix = f"-{environment[:4]}-{slot}"
    room = 32 - len(suffix)
    kept = (
        service
        if len(service) <= room
        else f"{service[: room - 7]}-{hashlib.sha256(service.encode()).hexdigest()[:6]}"
    )
    return kept + suffix


def _takes(rule: Mapping[str, Any], host: str) -> bool:
    """Whether a rule's host condition matches; ELBv2 knows the wildcards * and ?."""
    for condition in rule.get("Conditions", ()):
        if condition.get("Field") == "host-header":
            patterns = condition.get("HostHeaderConfig", {}).get("Values") or condition.get("Values", ())
            return any(fnmatch(host, pattern.lower()) for pattern in patterns)
    return False


def _refuse_foreign_rule(existing: Iterable[Mapping[str, Any]], host: str) -> None:
    for rule in existing:
        priority = rule["Priority"]
        if _takes(rule, host) and priority != "default" and int(priority) < USER_PRIORITIES.start:
            raise Misconfigured(
                f"rule {rule['RuleArn']} (priority {priority}) takes the traffic of {host} before ours could; "
                f"give it a priority above {USER_PRIORITIES.stop} first (docs/deploy.md, onboarding a live service)"
            )


def _free(priorities: range, taken: set[int], listener: str) -> int:
    for priority in priorities:
        if priority not in taken:
            taken.add(priority)
            return priority
    raise Misconfigured(
        f"no rule priority from {priorities.start} to {priorities.stop - 1} is free on {listener}"
    )
