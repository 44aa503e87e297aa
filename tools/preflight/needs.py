"""What the template needs of an account: reservations, and ways from a private network to AWS's APIs."""

from __future__ import annotations

from functools import cache
from typing import Any

from candlefish.catalog.model import Environment
from tools.layers import ROOT
from tools.lint_template import FUNCTION, as_list, read

# IAM's prefixes of services -> the names of their endpoints, where those differ. None: no network is asked for it.
ENDPOINTS = {
    "cloudwatch": "monitoring",
    "aps": "aps-workspaces",
    # Route 53 has no endpoint of a region, and neither has ARC: failovers need NAT (`checks.network`).
    "route53": None,
    "route53-recovery-cluster": None,
    "ec2": None,
    # ELBv2 asks Cognito itself, with the function's rights: nothing leaves the network for it.
    "cognito-idp": None,
}


def reserving(template: dict[str, Any], environment: Environment) -> list[str]:
    """The names of the functions that reserve concurrency."""
    return [
        each["Properties"]["FunctionName"]["Fn::Sub"].replace("${Environment}", environment.name)
        for each in template["Resources"].values()
        if each["Type"] == FUNCTION
        and "ReservedConcurrentExecutions" in each["Properties"]
        # Production has nothing that sleeps.
        and not (each.get("Condition") == "MaySleep" and environment.production)
    ]


@cache
def services_asked(*, failovers: bool) -> frozenset[str]:
    """The endpoints of the services that functions in the network ask: what their roles allow.

    Without `failovers`, those of functions that do nothing else are left out.
    """
    found: set[str | None] = set()
    for logical, properties in read(ROOT / "template.yaml").of(FUNCTION):
        if str({"Ref": "FunctionSubnetIds"}) not in str(properties.get("VpcConfig")):
            continue
        if "Failover" in logical and not failovers:
            continue
        if properties.get("FunctionUrlConfig"):
            # STS says who calls a URL; asking it takes no right.
            found.add("sts")
        for document in properties.get("Policies", ()):
            for statement in as_list(document["Statement"]):
                _, statement, _ = statement.get("Fn::If", (None, statement, None))
                for action in as_list(statement.get("Action", [])):
                    prefix = action.split(":")[0]
                    found.add(ENDPOINTS.get(prefix, prefix))
    return frozenset(each for each in found if each)
