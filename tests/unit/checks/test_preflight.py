"""What would make a deployment fail is said before it begins, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.catalog.model import CUSTOM, Console, Reading
from candlefish.catalog.stack_parameters import derived
from lab.templates import read_template
from tests.support.catalogs import FIXTURES
from tools.preflight import checks
from tools.preflight.model import (
    Cluster,
    Finding,
    Found,
    Issuer,
    Kubernetes,
    Limits,
    Listener,
    Section,
    Subnet,
    Subscription,
)
from tools.preflight.needs import reserving, services_asked
from tools.samconfig import section as shipped

ROOT = Path(__file__).parents[3]
CATALOG = load(FIXTURES)
ENVIRONMENTS = CATALOG.environments
PRODUCTION = ENVIRONMENTS["production"]
TEMPLATE = read_template(ROOT / "template.yaml")
LISTENER = "arn:aws:elasticloadbalancing:us-west-2:333333333333:listener/app/x/1/2"
NETWORK = {"FunctionSubnetIds": "subnet-1,subnet-2", "FunctionSecurityGroupIds": "sg-1"}
VALUES = {
    "Production": "yes",
    "Environment": "production",
    "ClusterName": PRODUCTION.cluster,
    "ListenerArns": LISTENER,
    "VpcId": "vpc-1",
    "PermissionsBoundaryArn": "arn:aws:iam::333333333333:policy/candlefish-boundary",
    "NoticesEmail": "oncall@example.com",
    "ReserveConcurrency": "yes",
    "GitHubSubjects": "repo:x/y:environment:production",
}
FOUND = Found(
    account=PRODUCTION.account,
    cluster=Cluster(vpc="vpc-1"),
    listeners={LISTENER: Listener("vpc-1")},
    boundary=True,
)
IN_NETWORK = msgspec.structs.replace(
    FOUND,
    subnets={"subnet-1": Subnet("vpc-1", "nat"), "subnet-2": Subnet("vpc-1", "other")},
    groups={"sg-1": "vpc-1"},
)


def section(name: str = "production", **changed: str) -> Section:
    pairs = [f"{key}={value}" for key, value in {**VALUES, **changed}.items()]
    return Section(
        name,
        {"region": "us-west-2", "stack_name": "candlefish-production", "parameter_overrides": pairs},
        PRODUCTION,
    )


def held(of: Section, found: Found) -> list[Finding]:
    told = [each for check in checks.ABOUT_THE_ACCOUNT for each in check(of, found)]
    told += checks.concurrency(of, found, reserving=2)
    return told + list(checks.network(of, found, frozenset({"eks", "dynamodb"})))


def only(of: Section, found: Found) -> Finding:
    (finding,) = held(of, found)
    return finding


def changed(of: Found = FOUND, **more: Any) -> Found:
    return msgspec.structs.replace(of, **more)


def test_what_agrees_is_not_complained_about() -> None:
    assert list(checks.written(section(), TEMPLATE["Parameters"])) == []
    assert held(section(), FOUND) == []
    assert held(section(**NETWORK), IN_NETWORK) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ClusterName": "other"}, "samconfig.toml says other, the catalog says example-production"),
        ({"VpcId": ""}, "give a value"),
        ({"Vpc": "x"}, "no such parameter"),
        ({"HomeRegion": "us-east-1"}, "samconfig.toml says us-east-1"),
        ({"FunctionSubnetIds": "subnet-1"}, "belong together"),
    ],
)
def test_a_section_that_contradicts_the_catalog_is_told(values: dict[str, str], said: str) -> None:
    (finding,) = checks.written(section(**values), TEMPLATE["Parameters"])
    assert said in finding.what


def test_parameters_that_the_catalog_derives_are_the_catalogs() -> None:
    wanted = derived(PRODUCTION, CATALOG)
    assert list(checks.derived(section(**wanted), CATALOG)) == []
    for changes in (
        {"SecretArns": "arn:aws:secretsmanager:*"},
        {"KeyArns": "arn:aws:kms:us-west-2:1:key/gone"},
        {"Environment": "staging"},
        {"Production": "no"},
    ):
        (finding,) = checks.derived(section(**{**wanted, **changes}), CATALOG)
        assert (finding.about, finding.mend) == (
            next(iter(changes)),
            "candlefish catalog samconfig -e production --write",
        )


def test_every_section_that_is_shipped_contradicts_nothing() -> None:
    for name in (*ENVIRONMENTS, "production-recovery"):
        of = Section(name, shipped(name), ENVIRONMENTS[name.removesuffix("-recovery")])
        assert [*checks.written(of, TEMPLATE["Parameters"]), *checks.derived(of, CATALOG)] == []


def test_the_stack_in_the_recovery_region_says_where_home_is() -> None:
    deploy = shipped("production-recovery")
    pairs = [each for each in deploy["parameter_overrides"] if not each.startswith("HomeRegion")]
    of = Section("production-recovery", {**deploy, "parameter_overrides": pairs}, PRODUCTION)
    (finding,) = checks.written(of, TEMPLATE["Parameters"])
    assert (finding.about, of.region) == ("HomeRegion", "us-east-1")


def test_more_services_than_the_load_balancers_take_are_told_with_how_many_it_takes() -> None:
    assert list(checks.room(section(), 50)) == []
    (finding,) = checks.room(section(), 51)
    assert "51 services need 2 load balancers, and listeners of 1 are given" in finding.what
    beside = LISTENER.replace("/x/1/2", "/x/1/3")
    assert list(checks.room(section(ListenerArns=f"{LISTENER},{beside}"), 51)) != []
    other = LISTENER.replace("/x/1/2", "/y/2/2")
    assert list(checks.room(section(ListenerArns=f"{LISTENER},{other}"), 51)) == []


def test_services_that_no_load_balancer_counts_want_a_prometheus() -> None:
    catalog = load(FIXTURES)
    assert list(checks.counted(section(), catalog)) == []
    worker = msgspec.structs.replace(catalog.services["website"], name="mailer", kind="worker", host="")
    more = msgspec.structs.replace(catalog, services={**catalog.services, "mailer": worker})
    (finding,) = checks.counted(section(), more)
    assert "what mailer does" in finding.what
    assert not finding.blocks
    assert list(checks.counted(section(PrometheusUrl="https://prometheus.example.com"), more)) == []
    published = msgspec.structs.replace(
        catalog.policies["default"], sources={CUSTOM: Reading(namespace="Acme")}
    )
    alone = msgspec.structs.replace(more, policies={"default": published})
    assert list(checks.counted(section(), alone)) == []


def test_checks_that_are_too_rare_for_a_slot_to_get_ready_are_told() -> None:
    declared = TEMPLATE["Parameters"]
    assert list(checks.patience(section(), declared, "canary", 600.0)) == []
    assert list(checks.patience(section(HealthIntervalSeconds="299"), declared, "canary", 600.0)) == []
    (finding,) = checks.patience(section(HealthIntervalSeconds="300"), declared, "canary", 600.0)
    assert "two checks take 600 s, and strategy canary gives a slot 600 s" in finding.what


PRIVATE = Cluster(vpc="vpc-1", public=False, private=True)
LIMITED = Cluster(vpc="vpc-1", cidrs=("203.0.113.0/24",))


@pytest.mark.parametrize(
    ("found", "said", "mend"),
    [
        ({"account": "123456789012"}, "choose another profile", ""),
        ({"boundary": False}, "step 1", ""),
        ({"cluster": None}, "no EKS cluster example-production in us-west-2", ""),
        (
            {"cluster": Cluster(mode="CONFIG_MAP")},
            "takes no access entries",
            "authenticationMode=API_AND_CONFIG_MAP",
        ),
        ({"cluster": Cluster(version="1.29")}, "slots need 1.30", "--kubernetes-version 1.30"),
        ({"cluster": PRIVATE}, "answers inside its VPC alone", ""),
        ({"cluster": LIMITED}, "answers from 203.0.113.0/24 alone", ""),
        ({"kubernetes": Kubernetes(bindings=False)}, "knows no TargetGroupBinding", "helm upgrade --install"),
        ({"listeners": {LISTENER: None}}, "there is no listener", ""),
        ({"listeners": {LISTENER: Listener("vpc-2")}}, "is in vpc-2, not vpc-1", ""),
        ({"listeners": {LISTENER: Listener("vpc-1", "internal")}}, "is internal", ""),
        (
            {"stack": "ROLLBACK_COMPLETE"},
            "takes no other until it is deleted",
            "delete-stack --stack-name candlefish-production",
        ),
        ({"stack": "UPDATE_ROLLBACK_FAILED"}, "could not go back", "continue-update-rollback"),
        ({"stack": "UPDATE_IN_PROGRESS"}, "wait for it", ""),
        ({"kept": ("the table t",)}, "kept from a stack that was deleted", "make take-over ENV=production"),
        (
            {"limits": Limits(10, 10)},
            "as new accounts may",
            "--quota-code L-B99A9384 --desired-value 1000 --region us-west-2",
        ),
        ({"limits": Limits(200, 101)}, "would leave 99 of 200", "request-service-quota-increase"),
        ({"provider": "arn:p"}, "GitHubProviderArn=arn:p", ""),
    ],
)
def test_what_the_account_does_not_hold_is_told_with_what_mends_it(
    found: dict[str, Any], said: str, mend: str
) -> None:
    finding = only(section(), changed(**found))
    assert said in finding.what
    assert mend in finding.mend
    assert bool(mend) == bool(finding.mend)
    assert finding.blocks


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"kubernetes": Kubernetes(unknown="no way")}, "could not be asked"),
        ({"kubernetes": Kubernetes(metrics=False)}, "no metrics API"),
        ({"kubernetes": Kubernetes(controller=False)}, "no AWS Load Balancer Controller runs"),
        ({"listeners": {LISTENER: Listener("vpc-1", rules=99)}}, "99 of 100 rules"),
        ({"subscriptions": ()}, "nobody is subscribed"),
        ({"subscriptions": (Subscription("email", "a@b.c", confirmed=False),)}, "a@b.c did not confirm"),
    ],
)
def test_what_a_deployment_can_do_without_is_told_and_stops_nothing(found: dict[str, Any], said: str) -> None:
    finding = only(section(), changed(**found))
    assert said in finding.what
    assert not finding.blocks
    assert "the deployment goes on" in finding.lines("production")[0]


def test_one_confirmed_subscription_is_enough() -> None:
    confirmed = Subscription("https", "https://x", confirmed=True)
    assert held(section(), changed(subscriptions=(Subscription("email", "a", False), confirmed))) == []


def test_a_first_deployment_that_nobody_would_hear_of_is_stopped() -> None:
    assert only(section(NoticesEmail=""), FOUND).about == "NoticesEmail"
    assert held(section(NoticesEmail="", NoticesUrl="https://x"), FOUND) == []


def test_what_a_stack_has_itself_is_not_counted_against_it() -> None:
    assert held(section(), changed(limits=Limits(200, 100, ours=2), stack="UPDATE_COMPLETE")) == []
    assert held(section(), changed(kept=(), provider="arn:p", stack="UPDATE_COMPLETE")) == []
    assert held(section(ReserveConcurrency="no"), changed(limits=Limits(100, 100))) == []


def test_no_boundary_is_a_choice() -> None:
    assert held(section(PermissionsBoundaryArn=""), changed(boundary=False)) == []


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3:9090", "http://prometheus.monitoring.svc", "http://metrics.internal"]
)
def test_a_private_prometheus_wants_functions_in_its_network(url: str) -> None:
    assert "Prometheus at" in only(section(PrometheusUrl=url), FOUND).what
    assert held(section(PrometheusUrl=url, **NETWORK), IN_NETWORK) == []


def test_a_prometheus_that_everybody_reaches_wants_nothing() -> None:
    assert (
        held(section(PrometheusUrl="https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1"), FOUND)
        == []
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "PrometheusUrl does not name"),
        ("https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1", "takes no login"),
        ("http://prometheus.example.com", "in clear text"),
    ],
)
def test_a_login_at_prometheus_goes_where_it_belongs(url: str, said: str) -> None:
    secret = "arn:aws:secretsmanager:us-west-2:111111111111:secret:prometheus-AbCdEf"
    assert said in only(section(PrometheusUrl=url, PrometheusSecretArn=secret), FOUND).what


def test_a_login_over_https_or_inside_the_network_wants_nothing() -> None:
    secret = "arn:aws:secretsmanager:us-west-2:111111111111:secret:prometheus-AbCdEf"
    outside = section(PrometheusUrl="https://prometheus.example.com", PrometheusSecretArn=secret)
    inside = section(PrometheusUrl="http://10.1.2.3:9090", PrometheusSecretArn=secret, **NETWORK)
    assert held(outside, FOUND) == [] and held(inside, IN_NETWORK) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"subnets": {"subnet-1": None}}, "there is no subnet subnet-1"),
        (
            {"subnets": {"subnet-1": Subnet("vpc-1", "igw")}, "endpoints": frozenset({"eks", "dynamodb"})},
            "public subnet",
        ),
        ({"groups": {"sg-1": None}}, "there is no security group"),
        ({"groups": {"sg-1": "vpc-2"}}, "sg-1 is of vpc-2"),
        (
            {"subnets": {"subnet-1": Subnet("vpc-1")}, "endpoints": frozenset({"eks"})},
            "no endpoint for dynamodb",
        ),
        ({"cluster": LIMITED}, "switch the private one on"),
    ],
)
def test_a_network_that_leads_nowhere_is_told(found: dict[str, Any], said: str) -> None:
    told = [each for each in held(section(**NETWORK), changed(IN_NETWORK, **found)) if each.blocks]
    assert [said in each.what for each in told] == [True]


def test_a_missing_endpoint_comes_with_the_command_that_makes_it() -> None:
    bare = changed(IN_NETWORK, subnets={"subnet-1": Subnet("vpc-1")})
    mends = [each.mend for each in held(section(**NETWORK), bare) if each.mend]
    assert any("--vpc-endpoint-type Gateway" in each and "us-west-2.dynamodb" in each for each in mends)
    assert any("--vpc-endpoint-type Interface" in each and "us-west-2.eks" in each for each in mends)


def test_the_needs_come_from_the_template() -> None:
    assert {"eks", "dynamodb", "elasticloadbalancing"} <= services_asked(failovers=False)
    assert "elasticache" not in services_asked(failovers=False)
    assert "elasticache" in services_asked(failovers=True)
    assert reserving(TEMPLATE, PRODUCTION) == [
        "candlefish-production-reconcile-traffic",
        "candlefish-production-reconcile-cluster",
    ]
    assert "candlefish-staging-reconcile-capacity" in reserving(TEMPLATE, ENVIRONMENTS["staging"])


def signs(issuer: Issuer | None) -> list[str]:
    console = Console(issuer="https://login.example.org", client="page", reader=("*",))
    of = msgspec.structs.replace(section(), environment=msgspec.structs.replace(PRODUCTION, console=console))
    return [
        each.what
        for each in held(of, msgspec.structs.replace(FOUND, issuer=issuer))
        if each.about == "console"
    ]


@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        (Issuer("https://login.example.org/... answered 404"), "answered 404"),
        (Issuer(algorithms=("ES256", "EdDSA")), "signs with ES256, EdDSA; API Gateway takes RS256"),
    ],
)
def test_an_issuer_that_nobody_can_sign_in_at_is_said(issuer: Issuer, why: str) -> None:
    (what,) = signs(issuer)
    assert "https://login.example.org" in what and why in what


@pytest.mark.parametrize("issuer", [None, Issuer(), Issuer(algorithms=("ES256", "RS256"))])
def test_an_issuer_that_people_sign_in_at_is_nothing_to_say(issuer: Issuer | None) -> None:
    assert signs(issuer) == []
