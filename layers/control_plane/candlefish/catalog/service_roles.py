"""The IAM roles of an environment's services, as a CloudFormation template: each reads its own secrets and no more.

Only of services that read secrets themselves (`secrets_by` is `role` or `csi`) and name no role of their own. Sources:
docs.aws.amazon.com/eks (IRSA's trust by sub and aud, Pod Identity's by pods.eks.amazonaws.com), and
docs.aws.amazon.com/secretsmanager (a secret's ARN ends with six characters that nobody knows before).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from candlefish.catalog.model import Catalog, Environment, Service
from candlefish.catalog.read import effective
from candlefish.errors import InvalidInput
from candlefish.names import mark_of, service_role

_ISSUER = re.compile(r"(?:https://)?[a-z0-9.-]+(?:/[A-Za-z0-9._-]+)*")


def service_roles(catalog: Catalog, environment: str, *, issuer: str = "", key: str = "") -> dict[str, Any]:
    """The template.

    Parameters
    ----------
    issuer:
        The cluster's OIDC issuer (`https://oidc.eks...`), for IRSA. It stands in keys of conditions, where CloudFormation
        takes no parameter.
    key:
        ARN of the KMS key that the secrets are encrypted with; empty for AWS's own.

    Raises
    ------
    InvalidInput
        No service of the environment reads secrets with a role that is made, or the issuer is missing.
    """
    env = catalog.environment(environment)
    services = [effective(each, env) for each in catalog.services.values()]
    reading = [each for each in services if each.secrets and not each.role]
    if env.secrets_by == "external-secrets" or not reading:
        raise InvalidInput(
            f"no service reads secrets by a role of its own in {environment}: there is nothing to make. Services with "
            "`secrets` do where `secrets_by` is role or csi, unless they name a `role`"
        )
    if env.identity_by == "irsa" and not _ISSUER.fullmatch(issuer):
        raise InvalidInput(
            f"roles of {environment} are assumed by IRSA: name the cluster's issuer with --issuer, as shown by: aws eks "
            f"describe-cluster --name {env.cluster} --query cluster.identity.oidc.issuer --output text"
        )
    resources: dict[str, Any] = {}
    for service in reading:
        resources |= _role(service, env, _trust(service, env, issuer), key)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"What services may read in {environment}. Made by candlefish catalog roles; not edited by hand.",
        "Resources": resources,
    }


def _role(service: Service, env: Environment, trust: dict[str, Any], key: str) -> dict[str, Any]:
    name = _logical(service.name)
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": service_role(env.name, service.name),
            "Description": f"What {service.name} reads in {env.name}.",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [trust],
            },
            "Policies": [
                {
                    "PolicyName": "secrets",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": list(_reads(service, key))},
                }
            ],
            "Tags": [{"Key": "candlefish:environment", "Value": env.name}],
        },
    }
    made: dict[str, Any] = {f"{name}Role": role}
    if env.identity_by == "pod-identity":
        made[f"{name}Identity"] = {
            "Type": "AWS::EKS::PodIdentityAssociation",
            "Properties": {
                "ClusterName": env.cluster,
                "Namespace": env.namespace,
                "ServiceAccount": service.account,
                "RoleArn": {"Fn::GetAtt": [f"{name}Role", "Arn"]},
            },
        }
    return made


def _logical(name: str) -> str:
    """What CloudFormation calls a service's resources: letters and digits, and no two services the same."""
    parts = name.split("-")
    said = "".join(map(str.capitalize, parts))
    # A part begins with a capital, where it begins with a letter.
    return said if all(part[:1].isalpha() for part in parts) else f"{said}{mark_of(name)}"


def _trust(service: Service, env: Environment, issuer: str) -> dict[str, Any]:
    if env.identity_by == "pod-identity":
        return {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    provider = issuer.removeprefix("https://")
    subject = f"system:serviceaccount:{env.namespace}:{service.account}"
    federated = f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{provider}"
    return {
        "Effect": "Allow",
        "Principal": {"Federated": {"Fn::Sub": federated}},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{provider}:sub": subject, f"{provider}:aud": "sts.amazonaws.com"}},
    }


def _reads(service: Service, key: str) -> Iterator[dict[str, Any]]:
    names = sorted({secret.name for secret in service.secrets})
    where = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret"
    yield {
        "Effect": "Allow",
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        # Exactly six characters follow the name: a name that goes on is another secret.
        "Resource": [{"Fn::Sub": f"{where}:{name}-??????"} for name in names],
    }
    if key:
        through = {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
        yield {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key,
            "Condition": {"StringEquals": through},
        }
