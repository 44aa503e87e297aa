"""Roles of services: each reads the secrets that the catalog names for it, trusted by its own account alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Secret, SecretStore
from candlefish.catalog.service_roles import service_roles
from candlefish.errors import InvalidInput
from candlefish.release.workload import role_of

FIXTURE = load(Path(__file__).parents[2] / "fixtures/catalog")
ISSUER = "https://oidc.eks.us-west-2.amazonaws.com/id/ABC"


def catalog(**environment: Any) -> Catalog:
    env = msgspec.structs.replace(FIXTURE.environments["production"], **environment)
    return msgspec.structs.replace(FIXTURE, environments={**FIXTURE.environments, "production": env})


def test_a_role_reads_its_services_secrets_and_is_its_accounts() -> None:
    made = service_roles(catalog(), "production", issuer=ISSUER)["Resources"]
    role = made["BackendApiRole"]["Properties"]
    assert role["RoleName"] == "candlefish-production-backend-api"
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    issuer = ISSUER.removeprefix("https://")
    namespace = FIXTURE.environments["production"].namespace
    assert trust["Condition"]["StringEquals"] == {
        f"{issuer}:sub": f"system:serviceaccount:{namespace}:backend-api",
        f"{issuer}:aud": "sts.amazonaws.com",
    }
    (reads,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    names = {secret.name for secret in FIXTURE.services["backend-api"].secrets}
    assert len(reads["Resource"]) == len(names)
    assert all(
        any(f":secret:{name}-??????" in json.dumps(each) for each in reads["Resource"]) for name in names
    )
    # Who has no secrets has no role.
    assert "WebsiteRole" not in made


def test_pod_identity_needs_no_issuer_and_ties_the_role_to_the_account() -> None:
    made = service_roles(catalog(identity_by="pod-identity"), "production")["Resources"]
    tied = made["BackendApiIdentity"]["Properties"]
    assert tied["ServiceAccount"] == "backend-api"
    (trust,) = made["BackendApiRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}


def test_a_key_is_used_through_secrets_manager_alone() -> None:
    made = service_roles(catalog(identity_by="pod-identity"), "production", key="arn:key")["Resources"]
    _, decrypts = made["BackendApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert (decrypts["Action"], decrypts["Resource"]) == ("kms:Decrypt", "arn:key")
    assert "secretsmanager" in json.dumps(decrypts["Condition"])


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "--issuer"),
        ({"secrets_by": "external-secrets", "secret_store": SecretStore(name="aws")}, "nothing to make"),
    ],
)
def test_what_is_missing_is_said(environment: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        service_roles(catalog(**environment), "production")


def test_a_key_of_a_secret_is_refused_where_only_its_name_arrives() -> None:
    from candlefish.catalog.checks.pods import secret_ways

    secret = Secret(name="a", env="A", key="password")
    service = msgspec.structs.replace(FIXTURE.services["website"], secrets=(secret,))
    found = list(secret_ways(msgspec.structs.replace(FIXTURE, services={"website": service})))
    assert found
    assert "secrets_by: role" in found[0].what


def test_a_store_goes_with_external_secrets_alone() -> None:
    from candlefish.catalog.checks.pods import secret_ways

    for wrong in (
        {"secrets_by": "external-secrets"},
        {"secrets_by": "csi", "secret_store": SecretStore(name="aws")},
    ):
        (problem,) = secret_ways(catalog(**wrong))
        assert problem.path == ("environments", "production", "secret_store")


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("egress", {"to": "service/nobody", "ports": [1]}, "nobody"),
        ("egress", {"to": "10.0.0.1/8", "ports": [1]}, "host bits"),
        ("egress", {"to": "169.254.169.254/32", "ports": [80]}, "the node's own"),
        ("egress", {"to": "namespace/otel", "ports": []}, "no port"),
        ("ingress", {"source": "service/nobody"}, "nobody"),
    ],
)
def test_peers_that_are_not_there_are_named(field: str, value: dict[str, Any], what: str) -> None:
    from candlefish.catalog.checks.pods import network_peers
    from candlefish.catalog.model import Egress, Ingress

    rule = msgspec.convert(value, {"egress": Egress, "ingress": Ingress}[field])
    service = msgspec.structs.replace(FIXTURE.services["website"], **{field: (rule,)})
    problems = list(network_peers(msgspec.structs.replace(FIXTURE, services={"website": service})))
    assert [problem for problem in problems if what in problem.what], problems


def test_nobody_runs_as_another_services_account() -> None:
    from candlefish.catalog.checks.pods import pod_accounts

    service = msgspec.structs.replace(FIXTURE.services["website"], service_account="backend-api")
    services = {**FIXTURE.services, "website": service}
    (problem,) = pod_accounts(msgspec.structs.replace(FIXTURE, services=services))
    assert "backend-api is the account" in problem.what


def test_no_two_services_are_one_resource_of_the_template() -> None:
    like = FIXTURE.services["backend-api"]
    names = ("a1", "a-1", "a1b", "a1-b", "a-1b", "a-1-b", "a--1b", "ab", "a-b")
    services = {name: msgspec.structs.replace(like, name=name, depends_on=()) for name in names}
    known = msgspec.structs.replace(catalog(identity_by="pod-identity"), services=services)
    made = service_roles(known, "production")["Resources"]
    assert all(name.isalnum() for name in made)
    roles = [each["Properties"]["RoleName"] for each in made.values() if each["Type"] == "AWS::IAM::Role"]
    assert sorted(roles) == sorted(f"candlefish-production-{name}" for name in names)


def test_a_role_has_a_name_that_iam_takes_and_pods_name_the_same() -> None:
    service = msgspec.structs.replace(
        FIXTURE.services["backend-api"], name="a-service-of-forty-letters-in-all-its-nam"
    )
    known = msgspec.structs.replace(catalog(identity_by="pod-identity"), services={service.name: service})
    env = msgspec.structs.replace(known.environments["production"], name="an-environment-of-some-letters")
    known = msgspec.structs.replace(known, environments={env.name: env})
    made = service_roles(known, env.name)["Resources"]
    (name,) = (each["Properties"]["RoleName"] for each in made.values() if each["Type"] == "AWS::IAM::Role")
    assert len(name) <= 64
    assert role_of(service, env) == f"arn:aws:iam::{env.account}:role/{name}"
    elsewhere = msgspec.structs.replace(env, region="us-gov-west-1")
    assert role_of(service, elsewhere) == f"arn:aws-us-gov:iam::{env.account}:role/{name}"
