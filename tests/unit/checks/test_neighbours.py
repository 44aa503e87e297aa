"""Two environments in one account, one's name the beginning of the other's: what roles of one may do to the other's.

Nothing. Every role, machine and policy for people of one is put to IAM with every action that it has and everything that
the other has, with whatever tags a request could say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from lab.iam.policies import Grants, Principal, decide, policy
from tools.lint_template import FUNCTION, MACHINE, as_list
from tools.policies import Resolver, policies_for_people, roles_of

SHORT, LONG = "staging", "staging-eu"
TAG = "candlefish:environment"
BALANCER = "0123456789abcdef"


@cache
def stack(environment: str) -> Resolver:
    resolve = Resolver("staging")
    region, account = resolve.region, resolve.account
    listener = f"arn:aws:elasticloadbalancing:{region}:{account}:listener/app/candlefish-{environment}/{BALANCER}/{BALANCER}"
    resolve.values |= {
        "Environment": environment,
        "ClusterName": f"candlefish-{environment}",
        "ListenerArns": [listener],
        "GitHubSubjects": ["repo:a/b:environment:x"],
        "DatabaseArns": [f"arn:aws:rds:{region}:{account}:db:candlefish-{environment}"],
        "CacheArns": [f"arn:aws:elasticache:{region}:{account}:replicationgroup:candlefish-{environment}"],
        "SecretArns": [
            f"arn:aws:secretsmanager:{region}:{account}:secret:candlefish/{environment}/database-??????"
        ],
        "SnapshotArns": [
            f"arn:aws:rds:{region}:{account}:snapshot:rds:candlefish-{environment}-????-??-??-??-??"
        ],
        "KeyArns": [f"arn:aws:kms:{region}:{account}:key/{environment}"],
        "HostedZoneArns": [f"arn:aws:route53:::hostedzone/{environment.upper()}"],
        "RoutingControlArns": [
            f"arn:aws:route53-recovery-control::{account}:controlpanel/{environment}/routingcontrol/1"
        ],
        "BucketArns": [f"arn:aws:s3:::{environment}-uploads"],
    }
    return resolve


def things(environment: str) -> Iterator[str]:
    """Everything that an environment has, by ARN."""
    resolve = stack(environment)

    def arn(service: str, rest: str) -> str:
        return resolve.arn(service, rest)

    for logical, definition in resolve.resources.items():
        kind, properties = definition["Type"], definition.get("Properties", {})
        if kind == FUNCTION:
            yield from (f"{resolve.identify(logical, 'Arn')}{end}" for end in ("", ":7", ":live"))
        elif kind == MACHINE:
            yield resolve.identify(logical, "Arn")
            yield resolve.identify(logical, "Arn").replace(":stateMachine:", ":execution:") + ":one"
        elif kind == "AWS::S3::Bucket":
            yield resolve.identify(logical, "Arn") + "/object"
        elif kind in ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::EventBus"):
            yield resolve.identify(logical, "Arn")
        elif kind == "AWS::SecretsManager::Secret":
            yield arn("secretsmanager", f"secret:{resolve(properties['Name'])}-AbCdEf")
        elif kind == "AWS::KMS::Key":
            yield arn("kms", "key/of-" + environment)
    name = f"candlefish-{environment}"
    yield from resolve.values["ListenerArns"]
    yield arn("elasticloadbalancing", f"listener-rule/app/{name}/{BALANCER}/{BALANCER}/1")
    yield arn("elasticloadbalancing", "targetgroup/website-blue/1")
    yield arn("eks", f"cluster/{name}")
    yield arn("eks", f"nodegroup/{name}/default/1")
    yield arn("cloudwatch", f"alarm:{name}-website-errors")
    yield arn("cloudwatch", f"alarm:candlefish/{environment}/website/errors")
    for database in (name, "orders", "candlefish-drill-1"):
        yield arn("rds", f"db:{database}")
        yield arn("rds", f"cluster:{database}")
        yield arn("rds", f"snapshot:rds:{database}-2026-11-29-05-10")
        yield arn("rds", f"snapshot:{database}")
    yield arn("elasticache", f"replicationgroup:{name}")
    yield f"arn:aws:elasticache::{resolve.account}:globalreplicationgroup:{name}"
    yield arn("secretsmanager", f"secret:candlefish/{environment}/database-AbCdEf")
    yield arn("secretsmanager", "secret:rds!db-1")
    for parameter in (
        "DatabaseArns",
        "CacheArns",
        "KeyArns",
        "HostedZoneArns",
        "RoutingControlArns",
        "BucketArns",
    ):
        yield from resolve.values[parameter]


# What a request could say beside: that it tags with its own name, the mark alone, or nothing; never that it makes
# something, because what it asks for is there already.
SAID: Sequence[Mapping[str, tuple[str, ...]]] = (
    {},
    {f"aws:requesttag/{TAG}": ("OWN",), "aws:tagkeys": (TAG,)},
    {"aws:tagkeys": ("candlefish:generation",)},
    {"kms:viaservice": ("rds.us-west-2.amazonaws.com",), "kms:grantisforawsresource": ("true",)},
    {"lambda:invokedviafunctionurl": ("true",)},
    {"dynamodb:leadingkeys": ("release#a",)},
)
# What knows no resources, or only looks: the template says why at each (tools/lint_template.py asks for it).
SHARED = ("subgrp:", "pg:", "og:")


def grants(environment: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    resolve = stack(environment)
    for role in roles_of(resolve):
        yield role.logical, role.statements
    yield from policies_for_people(resolve).items()


@pytest.mark.parametrize(("own", "other"), [(SHORT, LONG), (LONG, SHORT)])
def test_nobody_of_one_environment_may_do_anything_to_what_is_the_others(own: str, other: str) -> None:
    theirs, reached, looked_at = list(things(other)), [], 0
    # What both have is said by nobody's name: the other's of it must still be out of reach, by its tag.
    tags = {
        f"aws:resourcetag/{TAG}": (other,),
        "aws:resourcetag/aws:rds:primaryDBInstanceArn": ("arn:aws:rds:us-west-2:1:db:x",),
    }
    who = Principal(("arn:aws:iam::1:role/r",), "1")
    for name, statements in grants(own):
        # Looking at all is looking: the calls that know no resources cannot be told apart.
        scoped = [s for s in statements if s["Effect"] == "Deny" or as_list(s["Resource"]) != ["*"]]
        mine = Grants(policy(json.dumps({"Statement": scoped})))
        for action in sorted({a for s in scoped if s["Effect"] == "Allow" for a in as_list(s["Action"])}):
            for arn in (
                each
                for each in theirs
                if each.split(":")[2] == SERVICES.get(action.split(":")[0], action.split(":")[0])
            ):
                for said in SAID:
                    values = {
                        **{k: tuple(own if v == "OWN" else v for v in vs) for k, vs in said.items()},
                        **tags,
                    }
                    looked_at += 1
                    if decide(who, action, arn, values.get, grants=mine).allowed:
                        reached.append(f"{name}: {action} on {arn}")
    assert looked_at > 20_000
    left = sorted({each for each in reached if not any(each.startswith(k) for k in KNOWN)})
    assert not left, "\n".join(left)


SERVICES = {"route53-recovery-cluster": "route53-recovery-control"}
# Role and action -> why it does reach.
KNOWN = {
    "OnboardFunction: elasticloadbalancing:CreateTargetGroup": "making what is there already changes nothing",
    "SyncAlarmsFunction: cloudwatch:DeleteAlarms": "of alarms by their former names, which say whose they are in their text",
    "RunHookFunction: lambda:InvokeFunction": "hooks are yours, called candlefish-hook-*, and every environment's",
    "StepDrillFunction: kms:DescribeKey": "RDS asks it of the key of Secrets Manager's, whose id nobody knows before; it only looks",
    "AuditBackupsFunction: secretsmanager:DescribeSecret": "services' secrets have any name; it only looks, and sees no value",
    "AuditBackupsFunction: s3:GetBucketLocation": "where a bucket is, which only the replication names; it only looks",
    "ReconcileCapacityFunction: rds:Describe": "looking for what shall sleep means looking at all; it only looks",
    "AdvanceCapacityFunction: rds:Describe": "looking for what shall sleep means looking at all; it only looks",
    "StepDrillFunction: secretsmanager:": "RDS makes the secret of a scratch instance and names it; it cannot be read with this",
}


def test_what_the_roles_may_do_to_their_own_is_still_allowed() -> None:
    """The same question about one's own: without an answer the test above would say nothing."""
    who = Principal(("arn:aws:iam::1:role/r",), "1")
    tags = {f"aws:resourcetag/{TAG}": (SHORT,), f"aws:requesttag/{TAG}": (SHORT,)}
    allowed = {
        (name, action)
        for name, statements in grants(SHORT)
        for action in {a for s in statements if s["Effect"] == "Allow" for a in as_list(s["Action"])}
        for arn in things(SHORT)
        if decide(
            who, action, arn, tags.get, grants=Grants(policy(json.dumps({"Statement": statements})))
        ).allowed
    }
    for wanted in (
        ("ShiftWeightsFunction", "elasticloadbalancing:ModifyRule"),
        ("OnboardFunction", "elasticloadbalancing:CreateTargetGroup"),
        ("StepFailoverFunction", "rds:ModifyDBInstance"),
        ("StepFailoverFunction", "route53:ChangeResourceRecordSets"),
        ("StepDrillFunction", "rds:DeleteDBInstance"),
        ("SyncAlarmsFunction", "cloudwatch:PutMetricAlarm"),
        ("GitHubRole", "states:StartExecution"),
        ("on-call", "states:TagResource"),
    ):
        assert wanted in allowed, wanted
