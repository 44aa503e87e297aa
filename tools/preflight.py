"""What would make a deployment fail, said before it begins.

    python -m tools.preflight production

Holds the environment's parameters in samconfig.toml against template.yaml, the catalog, and the account that the
credentials are of. Reads only.
"""

from __future__ import annotations

import sys
import tomllib
from typing import Any

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from candlefish.catalog.load import load
from candlefish.catalog.model import Environment
from candlefish.catalog.stack_parameters import NAMES, reach_of
from candlefish.errors import ControlPlaneError
from candlefish.service.model import balancer_of
from candlefish.settings import listed
from candlefish.traffic.fittings import balancers_needed
from lab.aws.deploy import read_template
from tools.layers import ROOT
from tools.policies import parameters

MODES = ("API", "API_AND_CONFIG_MAP")


class Found(msgspec.Struct, frozen=True):
    """What the account holds. None: it has no such thing."""

    account: str
    # The cluster's authentication mode.
    mode: str | None
    # By listener: the VPC of its load balancer.
    listener_vpcs: dict[str, str | None]
    boundary: bool


def written(deploy: dict[str, Any], declared: dict[str, Any], environment: Environment) -> list[str]:
    """What is wrong with one environment's section of samconfig.toml, beside the catalog."""
    values = parameters(deploy)
    wrong = [f"{name}: template.yaml has no such parameter" for name in values if name not in declared]
    needed = [name for name, spec in declared.items() if "Default" not in spec]
    wrong += [f"{name}: give a value" for name in needed if not values.get(name)]
    for name, here, there in (
        ("Environment", values.get("Environment"), environment.name),
        ("ClusterName", values.get("ClusterName"), environment.cluster),
        ("region", deploy.get("region"), environment.region),
    ):
        if here and here != there:
            wrong.append(f"{name}: samconfig.toml says {here}, the catalog says {there}; change one")
    return wrong + derived(values, environment)


def derived(values: dict[str, str], environment: Environment) -> list[str]:
    """What is wrong with the parameters that say what the catalog names."""
    wanted = reach_of(environment).parameters
    differ = [name for name in NAMES if values.get(name) != wanted.get(name)]
    if not differ:
        return []
    return [
        f"{', '.join(differ)}: samconfig.toml does not say what the catalog names, and the roles would reach something "
        f"else: candlefish catalog parameters -e {environment.name} --write"
    ]


def room(deploy: dict[str, Any], services: int) -> list[str]:
    """That the catalog's services need more load balancers than there are."""
    listeners = listed(parameters(deploy).get("ListenerArns", ""))
    needs, have = balancers_needed(services), len({balancer_of(each) for each in listeners})
    if not listeners or have >= needs:
        return []
    return [
        f"ListenerArns: {services} services need {needs} load balancers, and listeners of {have} are given "
        "(docs/deploy.md, Listeners)"
    ]


def patience(
    deploy: dict[str, Any], declared: dict[str, Any], strategy: str, ready_within: float
) -> list[str]:
    """That no slot could get ready in time: a target is healthy when two checks in a row have passed."""
    given = parameters(deploy).get("HealthIntervalSeconds") or declared["HealthIntervalSeconds"]["Default"]
    needs = 2 * float(given)
    if needs < ready_within:
        return []
    return [
        f"HealthIntervalSeconds: two checks take {needs:.0f} s, and strategy {strategy} gives a slot {ready_within:.0f} s to "
        "get ready: check more often, or raise its ready_within in catalog/strategies.yaml"
    ]


def held(deploy: dict[str, Any], environment: Environment, found: Found) -> list[str]:
    """What the account does not hold as it is written."""
    values = parameters(deploy)
    wrong = []
    if found.account != environment.account:
        wrong.append(
            f"the credentials are of account {found.account}, and {environment.name} is in {environment.account}: "
            f"choose another profile, or change catalog/environments/{environment.name}.yaml"
        )
    if found.mode is None:
        wrong.append(
            f"ClusterName: there is no EKS cluster {values.get('ClusterName')} in {environment.region}"
        )
    elif found.mode not in MODES:
        wrong.append(
            f"ClusterName: {values.get('ClusterName')} takes no access entries (its authentication mode is "
            f"{found.mode}): aws eks update-cluster-config --name {values.get('ClusterName')} "
            "--access-config authenticationMode=API_AND_CONFIG_MAP"
        )
    for listener, vpc in found.listener_vpcs.items():
        if vpc is None:
            wrong.append(f"ListenerArns: there is no listener {listener}")
        elif vpc != values.get("VpcId"):
            wrong.append(f"VpcId: the load balancer of {listener} is in {vpc}, not {values.get('VpcId')}")
    if values.get("PermissionsBoundaryArn") and not found.boundary:
        wrong.append(
            f"PermissionsBoundaryArn: there is no policy {values['PermissionsBoundaryArn']}; "
            "deploy/bootstrap.yaml makes one (docs/deploy.md, step 1)"
        )
    return wrong


def look(deploy: dict[str, Any], region: str) -> Found:
    """Ask the account."""
    values, session = parameters(deploy), boto3.Session(region_name=region)
    elbv2 = session.client("elbv2")
    cluster = _or_none(session.client("eks").describe_cluster, name=values.get("ClusterName") or "-")
    vpcs: dict[str, str | None] = {}
    for listener in listed(values.get("ListenerArns", "")):
        known = _or_none(elbv2.describe_listeners, ListenerArns=[listener])
        arns = [each["LoadBalancerArn"] for each in known["Listeners"]] if known else []
        balancers = elbv2.describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"] if arns else []
        vpcs[listener] = balancers[0]["VpcId"] if balancers else None
    boundary = values.get("PermissionsBoundaryArn")
    return Found(
        account=session.client("sts").get_caller_identity()["Account"],
        mode=cluster and cluster["cluster"].get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP"),
        listener_vpcs=vpcs,
        boundary=bool(boundary and _or_none(session.client("iam").get_policy, PolicyArn=boundary)),
    )


def _or_none(call: Any, **arguments: Any) -> Any:
    """The answer, or None when there is no such thing. Anything else that goes wrong is not an answer."""
    try:
        return call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if "NotFound" in code or code in ("NoSuchEntity", "ValidationError", "InvalidParameterException"):
            return None
        raise


def main(name: str) -> int:
    """0 when nothing was found."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    catalog = load(ROOT / "catalog")
    if name not in catalog.environments:
        known = ", ".join(sorted(catalog.environments))
        print(f"say which environment: make deploy ENV=development. The catalog has {known}, not {name!r}")
        return 2
    deploy = config.get(name, {}).get("deploy", {}).get("parameters", {})
    environment = catalog.environments[name]
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    wrong = written(deploy, declared, environment)
    wrong += room(deploy, len(catalog.services))
    ready_within = catalog.strategies[environment.strategy].ready_within
    wrong += patience(deploy, declared, environment.strategy, ready_within)
    if not wrong:
        try:
            wrong = held(deploy, environment, look(deploy, environment.region))
        except (BotoCoreError, ClientError) as error:
            wrong = [f"the account could not be asked: {error}"]
    for line in wrong:
        print(f"{name}: {line}")
    if not wrong:
        print(f"{name}: samconfig.toml, the catalog and the account agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
    except ControlPlaneError as wrong_catalog:
        sys.exit(str(wrong_catalog))
