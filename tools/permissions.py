"""Least privilege, held against what the functions really call.

    CANDLEFISH_RECORD_CALLS=reports/calls make test-lab
    python -m tools.permissions reports/calls [--some]

With `--some`, not all labs were played: an action that nobody called says nothing then.

Functions: IAM in the lab refused none of their calls, and every action that their roles allow was asked for (none
extra), but for the ones below with their reasons.
Machines: their definitions say exactly what they call, so their roles must allow just that, on just those resources.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import yaml
from samtranslator.yaml_helper import yaml_parse

from candlefish.catalog.load import load
from lab import CATALOG
from lab.aws.recorded_calls import Seen
from lab.choices import judged
from tools.layers import ROOT
from tools.lint_template import FUNCTION, MACHINE, as_list, states_of
from tools.policies import ENVIRONMENTS, Resolver, Role, roles

ENVIRONMENT = judged(load(CATALOG)).name
# What Step Functions needs beside what the definition says: setting up log delivery, following nested executions.
OF_MACHINES = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
OF_SYNC = (
    "states:DescribeExecution",
    "states:StopExecution",
    "events:PutTargets",
    "events:PutRule",
    "events:DescribeRule",
)
# What a task calls without a function between, on a resource that only the execution knows.
DIRECT = {"arn:aws:states:::aws-sdk:sfn:stopExecution": "states:StopExecution"}
# Asked for by IAM without being an operation of its own (action -> why).
IMPLIED = {
    "cognito-idp:DescribeUserPoolClient": "ELBv2 asks for it when a rule is written that has a login by Cognito",
    "ecr:BatchGetImage": "a private ECR registry asks for it when manifests and referrers are read over HTTP",
    "ecr:GetDownloadUrlForLayer": "a private ECR registry asks for it when attestations are read over HTTP",
    "ec2:CreateNetworkInterface": "Lambda asks for it with the function's role to join a VPC",
    "ec2:DescribeNetworkInterfaces": "Lambda asks for it with the function's role to join a VPC",
    "ec2:DeleteNetworkInterface": "Lambda asks for it with the function's role to join a VPC",
}
# What the lab cannot imitate, or does not play of one function, and where else it is seen that the product calls it.
ELSEWHERE = {
    "rds:*DBCluster*": "Aurora: tests/contract/test_failover_adapters.py, test_nodes_and_databases.py",
    "rds:*GlobalCluster*": "Aurora: tests/contract/test_failover_adapters.py",
    "rds:CreateDBInstance": "Aurora, a reader for a promoted cluster: tests/contract/test_failover_adapters.py",
    "ecr:GetAuthorizationToken": "private ECR: tests/contract/test_registry.py",
    "aps:QueryMetrics": "a workspace of AMP: tests/unit/analysis/test_metric_adapters.py",
    "kms:*": "keys of your own, which the lab's databases have none of: tests/integration/lab/test_iam.py",
    "route53-recovery-cluster:*": "ARC: tests/contract/test_backup_adapters.py",
    "FinishRollbackFunction elasticloadbalancing:AddTags": "a shift that is late: tests/unit/release/test_rollback.py",
    "ReconcileClusterFunction events:PutEvents": (
        "a change by hand once no writer of ours lives: tests/unit/release/test_reconcile_cluster.py"
    ),
}


def recorded(directory: Path) -> list[Seen]:
    """Every recording in a directory."""
    return [
        each
        for path in sorted(directory.glob("*.json"))
        for each in msgspec.json.decode(path.read_bytes(), type=list[Seen])
    ]


def allowed(role: Role) -> set[str]:
    """Every action that a role's statements allow."""
    return {a for s in role.statements if s["Effect"] == "Allow" for a in as_list(s["Action"])}


def function_problems(found: list[Seen], resolve: Resolver) -> Iterator[str]:
    """Actions that functions have for nothing, and functions that nobody exercised."""
    for role in roles(ENVIRONMENT):
        if resolve.resources[role.logical]["Type"] != FUNCTION:
            continue
        did = {action for seen in found if _is(seen.name, role.name) for action, _ in seen.asked}
        if not did and not allowed(role):
            # It calls nothing, and may not.
            continue
        if not did:
            yield f"{role.logical}: nobody saw it call anything; exercise it in the lab's tests"
            continue
        if extra := sorted(a for a in allowed(role) - did - {*IMPLIED} if not _elsewhere(role.logical, a)):
            yield f"{role.logical}: its role allows {', '.join(extra)}, which it never called"


def refused(found: list[Seen]) -> Iterator[str]:
    """What IAM refused of all that functions, machines and GitHub's jobs asked for."""
    yield from sorted({said for seen in found if _of_a_stack(seen) for said in seen.refused})


def _of_a_stack(seen: Seen) -> bool:
    """Tests have functions of their own, whose roles say nothing."""
    return seen.role.rsplit("/", 1)[-1].startswith("candlefish-")


def _elsewhere(function: str, action: str) -> bool:
    return any(
        fnmatchcase(said, pattern) for said in (action, f"{function} {action}") for pattern in ELSEWHERE
    )


def _is(name: str, production: str) -> bool:
    """Whether a function of any environment is the one of that name in production."""
    return _in_any_environment(name) == _in_any_environment(production)


def _in_any_environment(name: str) -> str:
    """A name without its environment's, which may have hyphens; the longest that fits."""
    for environment in sorted(ENVIRONMENTS, key=len, reverse=True):
        if name.startswith(f"candlefish-{environment}-"):
            return name.removeprefix(f"candlefish-{environment}-")
    return name


def boundary_problems() -> Iterator[str]:
    """What roles allow and the boundary of deploy/bootstrap.yaml would not let them do."""
    document = yaml_parse((ROOT / "deploy/bootstrap.yaml").read_text())["Resources"]["Boundary"]["Properties"]
    patterns = {
        effect: [
            a for s in document["PolicyDocument"]["Statement"] if s["Effect"] == effect for a in s["Action"]
        ]
        for effect in ("Allow", "Deny")
    }
    for role in roles(ENVIRONMENT):
        for action in sorted(allowed(role)):
            if not any(fnmatchcase(action, pattern) for pattern in patterns["Allow"]):
                yield f"{role.logical}: the boundary in deploy/bootstrap.yaml does not let it {action}"
            if any(fnmatchcase(action, pattern) for pattern in patterns["Deny"]):
                yield f"{role.logical}: the boundary in deploy/bootstrap.yaml denies it {action}"


def machine_problems(resolve: Resolver) -> Iterator[str]:
    """Where a machine's role and its definition differ."""
    for role in roles(ENVIRONMENT):
        definition = resolve.resources[role.logical]
        if definition["Type"] != MACHINE:
            continue
        properties = definition["Properties"]
        machine = yaml.safe_load((ROOT / properties["DefinitionUri"]).read_text())
        substitutions = resolve(properties.get("DefinitionSubstitutions", {}))
        needed = set(_calls(machine, substitutions))
        # A function of the account that is not of the stack is named by its prefix.
        granted = {
            (action, resource)
            for s in role.statements
            for action in as_list(s["Action"])
            for resource in as_list(s["Resource"])
            if action in ("lambda:InvokeFunction", "states:StartExecution")
        }
        for action, resource in sorted(needed - granted):
            yield f"{role.logical}: its definition needs {action} on {resource}, which its role does not allow"
        for action, resource in sorted(granted - needed):
            yield f"{role.logical}: its role allows {action} on {resource}, which its definition does not use"
        sync = any(".sync" in str(s.get("Resource")) for _, s in states_of(machine, ""))
        direct = {DIRECT[s["Resource"]] for _, s in states_of(machine, "") if s.get("Resource") in DIRECT}
        for action in sorted(direct - allowed(role)):
            yield f"{role.logical}: its definition needs {action}, which its role does not allow"
        known = {"lambda:InvokeFunction", "states:StartExecution", *OF_MACHINES, *direct}
        known |= {*OF_SYNC} if sync else set()
        if extra := sorted(allowed(role) - known):
            yield f"{role.logical}: its role allows {', '.join(extra)}, which its definition does not use"


def _calls(machine: Mapping[str, Any], substitutions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for _, state in states_of(machine, ""):
        resource = str(state.get("Resource", ""))
        arguments = state.get("Arguments", state.get("Parameters", {}))
        if "lambda:invoke" in resource:
            yield "lambda:InvokeFunction", _filled(arguments["FunctionName"], substitutions)
        elif "states:startExecution" in resource:
            yield "states:StartExecution", _filled(arguments["StateMachineArn"], substitutions)


def _filled(text: str, substitutions: Mapping[str, str]) -> str:
    for name, value in substitutions.items():
        text = text.replace("${" + name + "}", str(value))
    return text


def main(directory: Path | None, *, some: bool = False) -> int:
    """Print the problems; how many there are. Without recordings only machines are looked at."""
    resolve = Resolver(ENVIRONMENT)
    problems = [*machine_problems(resolve), *boundary_problems()]
    found = recorded(directory) if directory is not None else []
    if directory is not None:
        problems += [*(() if some else function_problems(found, resolve)), *refused(found)]
    for problem in problems:
        print(problem)
    calls = {(seen.role, ask) for seen in found if _of_a_stack(seen) for ask in seen.asked}
    callers = {role for role, _ in calls}
    print(f"{len(problems)} problems; {len(calls)} different calls of {len(callers)} callers were looked at")
    return len(problems)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Least privilege, held against what the functions really call."
    )
    parser.add_argument("directory", nargs="?", type=Path, help="where the lab's tests recorded their calls")
    parser.add_argument("--some", action="store_true", help="not all labs were played")
    sys.exit(1 if main(**vars(parser.parse_args())) else 0)
