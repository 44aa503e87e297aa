"""What a service has on the load balancer: two target groups, a rule and a smoke rule.

Every step looks before it makes, so that it can be run again at any time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import msgspec

from candlefish.catalog.model import Service
from candlefish.errors import Misconfigured
from candlefish.names import ENVIRONMENT_TAG, former_target_group_name, target_group_name
from candlefish.service.model import SLOTS, RecordMark, Slot, Weights, all_to, balancer_of
from candlefish.traffic.ports import (
    OWNER_TAG,
    SLOT_TAG,
    Onboarding,
    Rules,
    RuleSpec,
    TaggedRule,
    TargetGroupSpec,
)
from candlefish.traffic.rules import SMOKE_HEADER, tagged_rules, weights_of
from candlefish.traffic.shadow import shadowing

# ALB evaluates rules by priority, the lowest number first: smoke rules before user rules.
SMOKE_PRIORITIES = range(100, 1000)
USER_PRIORITIES = range(1000, 2000)
# What AWS lets one Application Load Balancer have: rules beside the default ones, over all its listeners, and target
# groups. A service needs two of each.
MOST_RULES = MOST_GROUPS = 100


# What ELBv2 calls what is spoken with targets.
VERSIONS = {"http1": "HTTP1", "http2": "HTTP2", "grpc": "GRPC"}


class Fittings(msgspec.Struct, frozen=True):
    """What a service has on the load balancer, as it is found there.

    `weights` are the live ones of users' traffic, in percent or not; `mark` is the record that the rule followed
    last. `smoke_rule` and `smoke_token` are empty where the smoke rule is missing.
    """

    groups: dict[Slot, str]
    rule: str
    weights: Weights
    mark: RecordMark = RecordMark()
    smoke_rule: str = ""
    smoke_token: str = ""


def find_fittings(service: str, environment: str, tagged: Iterable[TaggedRule]) -> Fittings | None:
    """What a service has among the rules of its environment; None where it has no rule for users.

    Raises
    ------
    Misconfigured
        Its rule forwards to something else than its two target groups.
    """
    rules = [each for each in tagged if each.service == service]
    user = next((each for each in rules if not each.smoke_token), None)
    smoke = next((each for each in rules if each.smoke_token), None)
    if user is None:
        return None
    names = {name(service, environment, slot): slot for name in NAMES for slot in SLOTS}
    arns = [*user.weights, *(smoke.weights if smoke else ())]
    groups = {names[name]: arn for arn in arns if (name := _name_of(arn)) in names}
    foreign = [arn for arn, weight in user.weights.items() if weight and arn not in groups.values()]
    if foreign or len(groups) < len(SLOTS):
        raise Misconfigured(
            f"rule {user.rule} of {service} forwards to {', '.join(map(_name_of, user.weights)) or 'nothing'}, "
            f"not to {' and '.join(target_group_name(service, environment, slot) for slot in SLOTS)}: put both target "
            "groups into it, with the weights that users have now"
        )
    return Fittings(
        groups=groups,
        rule=user.rule,
        weights={slot: user.weights.get(groups[slot], 0) for slot in SLOTS},
        mark=user.mark,
        smoke_rule=smoke.rule if smoke else "",
        smoke_token=smoke.smoke_token if smoke else "",
    )


def _name_of(arn: str) -> str:
    return arn.partition(":targetgroup/")[2].partition("/")[0]


def tagged_for(service: str, environment: str, listeners: Iterable[str], rules: Rules) -> list[TaggedRule]:
    """The rules of an environment that may be a service's, on these listeners.

    Where some forward to a target group that is called like one of its own, the tags of the others are not asked for.
    """
    names = {name(service, environment, slot) for name in NAMES for slot in SLOTS}
    found = [rule for listener in listeners for rule in rules.listed(listener)]
    likely = [rule for rule in found if names & set(map(_name_of, weights_of(rule)))] or found
    return tagged_rules(likely, rules.tags([rule["RuleArn"] for rule in likely]), environment)


class FittingPlace(msgspec.Struct, frozen=True):
    """Where services of an environment are fitted, and how; times are seconds."""

    listeners: tuple[str, ...]
    vpc: str
    interval: int
    deregistration_delay: int


def ensure_fittings(
    service: Service,
    environment: str,
    at: FittingPlace,
    *,
    resting: Slot,
    balancer: Onboarding,
    rules: Rules,
    logins: tuple[str, ...] = (),
    behind: str = "",
    reserved: Set[str] = frozenset(),
) -> str:
    """Make what a service needs on a load balancer. Existing pieces are kept as they are, weights included.

    `logins` stood before the forward of its rule when it was seen last. A rule that has to be made gives all traffic to
    `resting`, on a listener of the load balancer called `behind`, or on the first one with room that is not `reserved`
    for those who name it. Returns the listener's ARN.

    Raises
    ------
    Misconfigured
        The rule is gone that had a login; a rule takes the host's traffic before ours could; something has our names
        or our target groups and is not ours; or no priority is free. No rule was made then.
    """
    tags = {OWNER_TAG: service.name, ENVIRONMENT_TAG: environment}
    groups: dict[Slot, str] = {
        slot: balancer.ensure_target_group(
            TargetGroupSpec(
                name=target_group_name(service.name, environment, slot),
                former_name=former_target_group_name(service.name, environment, slot),
                port=service.port,
                vpc=at.vpc,
                health_path=service.asked_at,
                version=VERSIONS[service.protocol],
                tags={**tags, SLOT_TAG: slot},
                interval=at.interval,
                deregistration_delay=at.deregistration_delay,
            )
        )
        for slot in SLOTS
    }
    weights = {groups[slot]: share for slot, share in all_to(resting).items()}
    found = {listener: rules.listed(listener) for listener in at.listeners}
    listener = place_of(set(weights), found, behind, reserved)
    existing = found[listener]
    taken = {int(rule["Priority"]) for rule in existing if rule["Priority"] != "default"}
    tags_of = rules.tags([rule["RuleArn"] for rule in existing])
    ours = [each for each in tagged_rules(existing, tags_of, environment) if each.service == service.name]
    _refuse_strangers(existing, ours, weights)
    if not any(not each.smoke_token for each in ours):
        if logins:
            raise Misconfigured(
                f"the rule of {service.name} is gone, and it had a login ({'; '.join(logins)}) that only you can make "
                f"again; a rule without it would let everybody in. Make one on {listener} for {service.host} that "
                f"forwards to {', '.join(map(_name_of, weights))} behind that login, tag it "
                f"{OWNER_TAG}={service.name} and {ENVIRONMENT_TAG}={environment}, then onboard again; nothing was made"
            )
        priority = _free(USER_PRIORITIES, taken, listener)
        _refuse_shadows(existing, ours, service.host, priority)
        balancer.create_rule(listener, RuleSpec(service.host, tags), priority, weights)
    if not any(each.smoke_token for each in ours):
        spec = RuleSpec(service.host, tags, (SMOKE_HEADER, secrets.token_urlsafe(24)))
        balancer.create_rule(listener, spec, _free(SMOKE_PRIORITIES, taken, listener), weights)
    return listener


def place_of(
    groups: Set[str],
    found: Mapping[str, Sequence[Mapping[str, Any]]],
    behind: str = "",
    reserved: Set[str] = frozenset(),
) -> str:
    """Which listener a service belongs on, among the rules that were found on each (pure).

    The one with a rule to one of its target groups, which can be behind one load balancer only; otherwise the first
    with room, of those of the load balancer called `behind` if there is a name. One that others name is theirs: an
    internal one is nobody's by accident, nor a public one.

    Raises
    ------
    Misconfigured
        It has a rule behind another load balancer, or there is no room.
    """
    for listener, rules in found.items():
        if any(groups & set(weights_of(rule)) for rule in rules):
            if behind and _called(listener) != behind:
                raise Misconfigured(
                    f"the service is behind load balancer {_called(listener)}, and the catalog says {behind}: "
                    "say load_balancer as it is; a service does not move (docs/deploy.md, Listeners)"
                )
            return listener
    free = [listener for listener in found if _called(listener) not in reserved] or list(found)
    named = [listener for listener in found if _called(listener) == behind] if behind else free
    if not named:
        raise Misconfigured(
            f"no listener of ListenerArns is one of load balancer {behind}; name one of "
            f"{', '.join(sorted({_called(each) for each in found}))} in the catalog, or add its listener to the stack"
        )
    for listener in named:
        on_it = [rule for each in found if balancer_of(each) == balancer_of(listener) for rule in found[each]]
        if has_room(on_it):
            return listener
    raise Misconfigured(
        f"no load balancer has room for two more rules and target groups ({', '.join(map(_called, named))}: each takes "
        f"{MOST_RULES} rules and {MOST_GROUPS} target groups): make another one and add its listener to ListenerArns "
        "(docs/deploy.md, Listeners)"
    )


def has_room(rules: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a load balancer with these rules takes one more service."""
    own = [rule for rule in rules if rule["Priority"] != "default"]
    groups = {group for rule in own for group in weights_of(rule)}
    return len(own) <= MOST_RULES - len(SLOTS) and len(groups) <= MOST_GROUPS - len(SLOTS)


def balancers_needed(services: int) -> int:
    """How many load balancers a number of services needs, when nothing else is behind them."""
    return -(-services // (min(MOST_RULES, MOST_GROUPS) // len(SLOTS)))


def _called(listener: str) -> str:
    """The name of a listener's load balancer."""
    return balancer_of(listener).split("/")[1]


# What the target groups of onboarded services may be called.
NAMES = (target_group_name, former_target_group_name)


def _refuse_strangers(
    existing: Iterable[Mapping[str, Any]], ours: Iterable[TaggedRule], groups: Iterable[str]
) -> None:
    """Refuse rules that forward to a service's target groups and are not tagged as its own."""
    known = {each.rule for each in ours}
    for rule in existing:
        if rule["RuleArn"] not in known and (shared := sorted(set(groups) & set(weights_of(rule)))):
            raise Misconfigured(
                f"rule {rule['RuleArn']} (priority {rule['Priority']}) forwards to {', '.join(map(_name_of, shared))} "
                "and its tags do not say that it is this service's: delete it, or let it forward elsewhere, "
                "then onboard again"
            )


def _refuse_shadows(
    existing: Sequence[Mapping[str, Any]], ours: Iterable[TaggedRule], host: str, priority: int
) -> None:
    """Refuse a place behind a rule that takes everything. What takes a part may be meant; the reconciler tells of it."""
    known = {each.rule for each in ours}
    others = [rule for rule in existing if rule["RuleArn"] not in known]
    host_condition = {"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}
    found = shadowing(others, {"Priority": str(priority), "Conditions": [host_condition]})
    if whole := [shadow for shadow in found if not shadow.narrowed]:
        raise Misconfigured(
            f"{'; '.join(shadow.words for shadow in whole)} of {host} before the service's own rule could "
            f"(priority {priority}): give it a priority of {USER_PRIORITIES.stop} or more, or a host that is not this "
            "service's, then onboard again (docs/deploy.md, onboarding a live service); no rule was made"
        )


def _free(priorities: range, taken: set[int], listener: str) -> int:
    for priority in priorities:
        if priority not in taken:
            taken.add(priority)
            return priority
    raise Misconfigured(
        f"no rule priority from {priorities.start} to {priorities.stop - 1} is free on {listener}"
    )
