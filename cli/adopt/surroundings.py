"""What a service needs around it, guessed: the environment, people, the judge's source, the stack's parameters. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from candlefish.catalog.model import PRESETS, Environment
from candlefish.catalog.model.scalars import NAME
from candlefish.catalog.stack_parameters import PLACEHOLDER
from candlefish.names import partition_of
from cli.adopt.facts import Balancer, Facts
from cli.adopt.proposal import Guess
from cli.samconfig import FILLED_IN

PRODUCTION = re.compile(r"(?:^|[^a-z])(?:prod|production|live)(?:$|[^a-z])")
STAGING = re.compile(r"(?:^|[^a-z])(?:stag|staging|stg|preprod|uat)(?:$|[^a-z])")
# Where people of a region usually sit; freezes and schedules are in this zone.
ZONES = {
    "eu-central-1": "Europe/Berlin",
    "eu-west-1": "Europe/Dublin",
    "eu-west-2": "Europe/London",
    "eu-west-3": "Europe/Paris",
    "eu-north-1": "Europe/Stockholm",
    "eu-south-1": "Europe/Rome",
    "us-east-1": "America/New_York",
    "us-east-2": "America/New_York",
    "us-west-1": "America/Los_Angeles",
    "us-west-2": "America/Los_Angeles",
    "ap-northeast-1": "Asia/Tokyo",
    "ap-south-1": "Asia/Kolkata",
    "ap-southeast-1": "Asia/Singapore",
    "ap-southeast-2": "Australia/Sydney",
    "ca-central-1": "America/Toronto",
    "sa-east-1": "America/Sao_Paulo",
}
# Another region of the same continent, where the catalog must name one.
ELSEWHERE = {
    "eu": "eu-west-1",
    "us": "us-east-1",
    "ap": "ap-southeast-1",
    "ca": "us-east-2",
    "sa": "us-east-1",
}
# Presets by the counter that gives them away, the proxy in front of all services first.
TELLING = ("istio", "nginx-ingress", "traefik", "envoy", "opentelemetry", "spring", "fastapi", "express")
# A load balancer that was made for this environment's control plane.
OURS = "candlefish:environment"

# What environments are called, and what is put behind their names where there are several of a kind.
WORDS = {"dev", "development", "stage", "staging", "test", "qa", "prod", "production"}
PLACES = {"eu", "us", "uk", "ap", "de", "emea", "apac", "east", "west"}

_REQUIRED = {each.name for each in msgspec.structs.fields(Environment) if each.required}


def is_production(name: str, facts: Facts) -> Guess:
    """Whether an environment is what users see."""
    tags = facts.cluster.tags if facts.cluster else {}
    said = _environment_in(tags)
    for word, where in ((name, "its name"), (said, "the cluster's tags")):
        if PRODUCTION.search(word.lower()) and not STAGING.search(word.lower()):
            return Guess(True, where)
    if STAGING.search(name.lower()) or re.search(r"dev|test", name.lower()):
        return Guess(False, "its name")
    return Guess(True, "nothing says that it is not", sure=False)


def environment(name: str, facts: Facts) -> dict[str, Guess]:
    """The fields of an environment."""
    production = is_production(name, facts)
    said = f"cluster {facts.cluster.name}" if facts.cluster else "the command line"
    fields = {
        "account": Guess(
            facts.account or "0" * 12, "who asked" if facts.account else "unknown", bool(facts.account)
        ),
        "region": Guess(facts.region, "where it was asked"),
        "cluster": Guess(
            facts.cluster.name if facts.cluster else PLACEHOLDER.lower(), said, facts.cluster is not None
        ),
        "namespace": Guess(facts.namespace, "where its workloads are"),
        "production": production,
        "strategy": Guess(
            "canary" if production.value else "rolling", f"production: {str(production.value).lower()}"
        ),
        "timezone": Guess(ZONES.get(facts.region, "UTC"), f"region {facts.region}", sure=False),
    }
    if "recovery_region" in _REQUIRED:
        other = ELSEWHERE.get(facts.region[:2], "us-east-1")
        other = "eu-central-1" if other == facts.region == "eu-west-1" else other
        other = "us-west-2" if other == facts.region else other
        fields["recovery_region"] = Guess(other, "the catalog wants one; nothing is made there", sure=False)
    if facts.networks:
        fields["ingress_cidrs"] = Guess(list(facts.networks), f"the network of {said}")
    if budget := _budget(name, facts):
        fields["cost"] = budget
    elif "cost" in _REQUIRED:
        fields["cost"] = Guess({"low": 0, "high": 1000}, "no budget of the account says it", sure=False)
    databases = [
        {"name": _short(each.identifier, name), "identifier": each.identifier}
        | ({"kind": each.kind} if each.kind == "aurora" else {})
        # What RDS keeps itself (rds!...) has no host in it, and cannot be named here.
        | ({"secret": each.secret} if each.secret and "!" not in each.secret else {})
        for each in facts.stored
        if each.kind != "cache" and _is_theirs(each.identifier, each.tags, name)
    ]
    if databases:
        fields["databases"] = Guess(_told_apart(databases), "RDS")
    caches = [
        {"name": _short(each.identifier, name), "replication_group": each.identifier}
        for each in facts.stored
        if each.kind == "cache" and _is_theirs(each.identifier, each.tags, name)
    ]
    if caches:
        fields["caches"] = Guess(_told_apart(caches), "ElastiCache")
    return fields


def _is_theirs(identifier: str, tags: dict[str, str], environment: str) -> bool:
    """Whether a database belongs to an environment: by its tags, or because no name says another."""
    if said := _environment_in(tags):
        return said == environment
    at = f"-{identifier}-".find(f"-{environment}-")
    if at >= 0:
        # acme-prod-eu is not of prod.
        rest = f"-{identifier}-"[at + len(environment) + 2 :].split("-")
        return rest[0] not in PLACES
    return not WORDS & set(identifier.split("-"))


def _environment_in(tags: dict[str, str]) -> str:
    """The environment that tags name; empty where they name none."""
    return next((tags[key] for key in ("environment", "Environment", "env", "stage") if key in tags), "")


def _short(identifier: str, environment: str) -> str:
    """What people call it: the identifier without the environment's name."""
    short = "-".join(part for part in identifier.split("-") if part not in environment.split("-"))
    return short if re.fullmatch(NAME, short) else identifier[:40].strip("-")


def _told_apart(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [each["name"] for each in found]
    key = "identifier" if found and "identifier" in found[0] else "replication_group"
    return [each if names.count(each["name"]) == 1 else {**each, "name": each[key]} for each in found]


def _budget(name: str, facts: Facts) -> Guess | None:
    likely = [
        each
        for each in facts.budgets
        if name in re.split(r"[^a-z0-9-]+", each.lower()) or each.endswith(name)
    ]
    if len(likely) != 1:
        return None
    high = facts.budgets[likely[0]]
    return Guess({"low": 0, "high": high}, f"budget {likely[0]}")


def people(facts: Facts, approvers: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Who asked, and who else approves: each an IAM principal like `user/ada`."""
    found: dict[str, dict[str, Any]] = {}
    for principal in dict.fromkeys([*filter(None, [facts.caller]), *approvers]):
        name = principal.rpartition("/")[2].partition("@")[0].lower()
        said: dict[str, Any] = {"approver": True}
        if principal.startswith(("user/", "assumed-role/")):
            said = {"aws": [principal], **said}
        found[name or "administrator"] = said
    for spare in ("first-approver", "second-approver"):
        if len(found) < 2:
            found[spare] = {"approver": True}
    return found


def preset(facts: Facts) -> Guess:
    """How services report to Prometheus, by the names of metrics that are there."""
    if facts.prometheus is None:
        return Guess("", "no Prometheus was found")
    names = set(facts.prometheus.metrics)
    for each in TELLING:
        wanted = PRESETS[each]
        if wanted.requests in names and f"{wanted.latency}_bucket" in names:
            # Several have these two names; which labels they have was not asked.
            sure = each not in ("fastapi", "express")
            return Guess(each, f"{wanted.requests} in {facts.prometheus.where}", sure)
    if PRESETS["default"].requests in names:
        return Guess("default", f"{PRESETS['default'].requests} in {facts.prometheus.where}", sure=False)
    return Guess("", f"no counter of requests that a preset knows is in {facts.prometheus.where}")


def jobs(facts: Facts) -> Guess:
    """Whether workers count their jobs by the names that the preset `worker` has."""
    counter = PRESETS["worker"].requests
    if facts.prometheus and counter in facts.prometheus.metrics:
        return Guess(True, f"{counter} in {facts.prometheus.where}")
    return Guess(False, f"{counter} was found nowhere", sure=False)


def in_front(facts: Facts, environment: str) -> Balancer | None:
    """The load balancer that was made for the control plane."""
    return next((each for each in facts.balancers if each.tags.get(OURS) == environment), None)


def parameters(name: str, facts: Facts, email: str) -> dict[str, Guess]:
    """The parameters of the environment's stack that do not follow from its catalog."""
    ours = in_front(facts, name)
    listener = next((each.arn for each in ours.listeners), "") if ours else ""
    found = {
        "VpcId": Guess(facts.cluster.vpc, f"The VPC of cluster {facts.cluster.name}.")
        if facts.cluster
        else _blank("VpcId"),
        "ListenerArns": Guess(
            listener or PLACEHOLDER,
            f"Load balancer {ours.name}."
            if ours
            else f"adoption-{name}.md says how it is made; then run init again.",
            bool(listener),
        ),
        "PermissionsBoundaryArn": Guess(
            f"arn:{partition_of(facts.region)}:iam::{facts.account}:policy/candlefish-boundary",
            "deploy/bootstrap.yaml makes it.",
        )
        if facts.account
        else _blank("PermissionsBoundaryArn"),
        "NoticesEmail": Guess(email, FILLED_IN["NoticesEmail"]) if email else _blank("NoticesEmail"),
    }
    if facts.cluster and not facts.cluster.public:
        found["FunctionSubnetIds"] = Guess(
            ",".join(facts.cluster.subnets), "The cluster's endpoint is private: its subnets."
        )
        if facts.cluster.groups:
            found["FunctionSecurityGroupIds"] = Guess(
                facts.cluster.groups[0], "The cluster's security group."
            )
    if facts.repository:
        found["GitHubSubjects"] = Guess(
            f"repo:{facts.repository}:environment:{name}", "From git remote origin."
        )
        if facts.provider:
            found["GitHubProviderArn"] = Guess(facts.provider, "The account's OIDC provider for GitHub.")
    if facts.prometheus and not facts.prometheus.in_cluster:
        found["PrometheusUrl"] = Guess(facts.prometheus.where, "From the command line.")
    return found


def _blank(parameter: str) -> Guess:
    return Guess(PLACEHOLDER, FILLED_IN[parameter], sure=False)
