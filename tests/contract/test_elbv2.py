"""The load balancer adapter and onboarding, against moto's ELBv2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from candlefish.adapters.aws.elbv2 import TAGS_AT_ONCE, LoadBalancer, address_of
from candlefish.adapters.aws.refusals import translated
from candlefish.adapters.kubernetes.eks import ip_family
from candlefish.catalog.model import Environment, ServiceOverride
from candlefish.errors import Misconfigured, NotOnboarded, Throttled, Unavailable, WorldUnclear
from candlefish.names import former_target_group_name, target_group_name
from candlefish.release.manifests import render
from candlefish.release.onboard import onboard
from candlefish.service.model import RecordMark, all_to
from candlefish.service.record import ServiceRecord, intend_weight, promote
from candlefish.traffic.fittings import FittingPlace
from candlefish.traffic.ports import Rules, TaggedRule, TargetHealth
from candlefish.traffic.rules import tagged_rules, with_weights
from candlefish.traffic.shadow import Shadow, beside, shadowing
from candlefish.traffic.shift import converge, point_smoke_rule, repair_drift, stamp
from lab.memory.service import MemoryRecords
from lab.moto import listener_rules, restore
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer as SimulatedBalancer
from tests.support.catalogs import catalog
from tests.support.cluster import FakeCluster
from tests.support.kubernetes.samples import workload
from tests.support.service import V1, fresh, take
from tests.support.traffic import FakeRules, NoShares

CATALOG = catalog()
PRODUCTION = CATALOG.environments["production"]
NOW = 1_790_000_000.0


class Site:
    """A load balancer with a listener in moto."""

    def __init__(self) -> None:
        session = botocore.session.Session()
        ec2 = session.create_client("ec2", region_name="us-west-2")
        self.elbv2 = session.create_client("elbv2", region_name="us-west-2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-west-2{zone}"
            )["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        self.subnets = subnets
        self.listener = self.listen("lb")
        self.listeners = [self.listener]
        self.balancer = LoadBalancer(self.elbv2)
        self.records = MemoryRecords()
        self.cluster = FakeCluster()
        self.interval = 10
        self.catalog = CATALOG

    def listen(self, name: str, scheme: str = "internet-facing") -> str:
        """A load balancer with a listener; the listener's ARN."""
        made = self.elbv2.create_load_balancer(Name=name, Subnets=self.subnets, Scheme=scheme)
        listener: str = self.elbv2.create_listener(
            LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        return listener

    def speaks(self, **changes: Any) -> None:
        """The catalog says something else of backend-api."""
        service = msgspec.structs.replace(CATALOG.services["backend-api"], **changes)
        services = {**CATALOG.services, service.name: service}
        self.catalog = msgspec.structs.replace(CATALOG, services=services)

    def groups(self, record: ServiceRecord) -> list[dict[str, Any]]:
        arns = [each.target_group for each in record.slots.values()]
        found: list[dict[str, Any]] = self.elbv2.describe_target_groups(TargetGroupArns=arns)["TargetGroups"]
        return found

    def onboard(self, service: str = "backend-api", environment: Environment = PRODUCTION) -> ServiceRecord:
        return onboard(
            service,
            catalog=self.catalog,
            environment=environment,
            place=FittingPlace(
                tuple(self.listeners), self.vpc, interval=self.interval, deregistration_delay=30
            ),
            shares=NoShares(),
            balancer=self.balancer,
            rules=self.balancer,
            records=self.records,
            cluster=self.cluster,
            now=lambda: NOW,
        )


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        listener_rules.install()
        yield Site()
    restore()


def test_onboarding_makes_two_groups_two_rules_and_a_record(site: Site) -> None:
    record = site.onboard()
    assert site.balancer.read(record.rule) == record.weights_by_target_group()
    rules = {rule["RuleArn"]: rule for rule in site.balancer.listed(site.listener)}
    assert int(rules[record.smoke_rule]["Priority"]) < int(rules[record.rule]["Priority"])
    fields = [condition["Field"] for condition in rules[record.smoke_rule]["Conditions"]]
    assert sorted(fields) == ["host-header", "http-header"]


@pytest.mark.parametrize(
    ("changes", "version", "path", "matcher"),
    [
        ({}, "HTTP1", "/health", {"HttpCode": "200-399"}),
        ({"protocol": "http2"}, "HTTP2", "/health", {"HttpCode": "200-399"}),
        (
            {"protocol": "grpc", "health_path": ""},
            "GRPC",
            "/grpc.health.v1.Health/Check",
            {"GrpcCode": "0"},
        ),
        ({"protocol": "grpc", "health_path": "/shop.Api/Well"}, "GRPC", "/shop.Api/Well", {"GrpcCode": "0"}),
    ],
    ids=["http1", "http2", "grpc", "grpc with a method of its own"],
)
def test_a_target_group_speaks_what_its_service_does(
    site: Site, changes: dict[str, Any], version: str, path: str, matcher: dict[str, str]
) -> None:
    site.speaks(**changes)
    groups = site.groups(site.onboard())
    assert {each["ProtocolVersion"] for each in groups} == {version}
    assert {each["HealthCheckPath"] for each in groups} == {path}
    assert [each["Matcher"] for each in groups] == [matcher, matcher]
    site.onboard()


def test_an_internal_load_balancer_has_those_who_name_it_and_nobody_else(site: Site) -> None:
    internal = site.listen("inside", scheme="internal")
    # Even where it is named first.
    site.listeners = [internal, site.listener]
    here = msgspec.structs.replace(
        PRODUCTION, overrides={"backend-api": ServiceOverride(load_balancer="inside")}
    )
    inside, outside = site.onboard("backend-api", here), site.onboard("website", here)
    assert (inside.listener, outside.listener) == (internal, site.listener)
    assert "://inside-" in address_of(site.elbv2, internal), "smoke tests ask it where it is"
    site.balancer.write(
        inside.rule, {inside.slots["blue"].target_group: 90, inside.slots["green"].target_group: 10}
    )
    assert site.balancer.read(outside.rule) == outside.weights_by_target_group()
    assert site.onboard("backend-api", here).rule == inside.rule


def test_what_a_service_speaks_does_not_change_in_place(site: Site) -> None:
    record = site.onboard()
    before = site.groups(record)
    site.speaks(protocol="grpc", health_path="")
    with pytest.raises(Misconfigured, match=r"speaks HTTP1 with its targets, and the catalog says GRPC"):
        site.onboard()
    assert site.groups(record) == before
    assert site.records.get("backend-api") == record


def test_what_a_service_is_does_not_change_in_place(site: Site) -> None:
    record = site.onboard()
    site.speaks(kind="cluster", host="")
    with pytest.raises(Misconfigured, match=r"is onboarded as web, and the catalog says cluster"):
        site.onboard()
    assert site.records.get("backend-api") == record


@pytest.mark.parametrize(("interval", "timeout"), [(5, 4), (30, 29), (121, 120), (300, 120)])
def test_a_check_may_be_as_rare_as_elbv2_has_them(site: Site, interval: int, timeout: int) -> None:
    site.interval = interval
    made = site.elbv2.describe_target_groups(TargetGroupArns=[site.onboard().slots["blue"].target_group])
    (group,) = made["TargetGroups"]
    assert (group["HealthCheckIntervalSeconds"], group["HealthCheckTimeoutSeconds"]) == (interval, timeout)


def test_a_check_that_elbv2_does_not_have_is_refused(site: Site) -> None:
    site.interval = 301
    with pytest.raises(Misconfigured, match="range 5-300"):
        site.onboard()


def test_target_groups_take_the_addresses_that_pods_have(site: Site) -> None:
    """A cluster of IPv6 has Pods that a group for IPv4 cannot take, which shows when none gets healthy."""
    site.balancer = LoadBalancer(site.elbv2, lambda: "ipv6")
    record = site.onboard()
    (group,) = site.elbv2.describe_target_groups(TargetGroupArns=[record.slots["blue"].target_group])[
        "TargetGroups"
    ]
    assert group["IpAddressType"] == "ipv6"
    assert site.onboard() == record
    site.balancer = LoadBalancer(site.elbv2, lambda: "ipv4")
    with pytest.raises(Misconfigured, match="takes ipv6 addresses, and Pods of the cluster have ipv4 ones"):
        site.onboard()


def test_the_cluster_says_what_addresses_its_pods_have(site: Site) -> None:
    eks = botocore.session.get_session().create_client("eks", region_name="us-west-2")
    for name, network in (("six", {"ipFamily": "ipv6"}), ("four", {"ipFamily": "ipv4"}), ("silent", {})):
        eks.create_cluster(
            name=name,
            roleArn="arn:aws:iam::123456789012:role/x",
            resourcesVpcConfig={"subnetIds": []},
            **({"kubernetesNetworkConfig": network} if network else {}),
        )
    assert [ip_family(eks, name) for name in ("six", "four", "silent")] == ["ipv6", "ipv4", "ipv4"]


def test_onboarding_again_changes_nothing(site: Site) -> None:
    record = site.onboard()
    before = site.balancer.listed(site.listener)
    assert site.onboard() == record
    assert site.balancer.listed(site.listener) == before


def test_onboarding_that_was_cut_off_is_completed(site: Site) -> None:
    record = site.onboard()
    site.elbv2.delete_rule(RuleArn=record.smoke_rule)
    site.records.stored.clear()
    again = site.onboard()
    assert again.rule == record.rule
    assert again.smoke_rule != record.smoke_rule


def tagged(rules: Rules, listener: str, environment: str = "production") -> list[TaggedRule]:
    """The rules of a listener that are an environment's own."""
    found = rules.listed(listener)
    return tagged_rules(found, rules.tags([rule["RuleArn"] for rule in found]), environment)


def released_once(site: Site) -> tuple[ServiceRecord, dict[str, int]]:
    """A service that was promoted into green; its record, and the live weights."""
    site.onboard()
    record = site.records.update("backend-api", lambda r: take(r, "r1", V1))
    intended = site.records.update(
        "backend-api", lambda r: intend_weight(r, generation=record.generation, slot="green", weight=100)
    )
    converge(intended, records=site.records, rules=site.balancer)
    stamp(intended, rules=site.balancer)
    promoted = site.records.update(
        "backend-api", lambda r: promote(r, generation=record.generation, now=1.0, window=0.0)
    )
    wanted = workload(
        PRODUCTION.namespace,
        "r1",
        service=CATALOG.services["backend-api"],
        target_group=promoted.slots["green"].target_group,
    )
    objects = render(
        msgspec.structs.replace(wanted, image=V1.image, slot="green", generation=promoted.generation)
    )
    site.cluster.apply(objects, generation=promoted.generation)
    return promoted, site.balancer.read(promoted.rule)


def test_a_lost_record_is_what_runs_and_gets_the_traffic(site: Site) -> None:
    """`onboard_after_loss.py`: following the message "run candlefish onboard" was a total outage."""
    record, live = released_once(site)
    site.records.stored.clear()
    again = site.onboard()
    assert (again.stable, again.desired) == ("green", all_to("green"))
    assert again.stable_version and again.stable_version.same_as(V1)
    assert (again.rule, again.smoke_rule, again.smoke_token) == (
        record.rule,
        record.smoke_rule,
        record.smoke_token,
    )
    assert again.generation == record.generation + 1
    assert repair_drift(again, records=site.records, rules=site.balancer).writes == 0
    assert site.balancer.read(record.rule) == live


def test_onboarding_guesses_nothing_where_both_slots_have_traffic(site: Site) -> None:
    record, _ = released_once(site)
    half = dict.fromkeys(record.weights_by_target_group(), 50)
    site.balancer.write(record.rule, half)
    site.records.stored.clear()
    with pytest.raises(WorldUnclear, match="candlefish records rebuild backend-api -e production --stable"):
        site.onboard()
    assert site.records.stored == {}
    assert site.balancer.read(record.rule) == half


def test_onboarding_asks_again_where_the_cluster_does_not_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, live = released_once(site)
    site.records.stored.clear()

    def down(namespace: str, name: str) -> None:
        raise Unavailable("the cluster did not answer")

    monkeypatch.setattr(site.cluster, "running", down)
    with pytest.raises(WorldUnclear, match="could not be read"):
        site.onboard()
    assert site.records.stored == {} and site.balancer.read(record.rule) == live


def test_a_rule_that_was_deleted_is_made_again_as_the_record_wants_it(site: Site) -> None:
    record, live = released_once(site)
    site.elbv2.delete_rule(RuleArn=record.rule)
    again = site.onboard()
    assert again.rule != record.rule
    assert site.balancer.read(again.rule) == live
    assert msgspec.structs.replace(again, rule=record.rule, revision=record.revision) == record


def test_a_rule_and_a_record_that_are_lost_together_go_to_what_runs(site: Site) -> None:
    record, live = released_once(site)
    site.elbv2.delete_rule(RuleArn=record.rule)
    site.records.stored.clear()
    again = site.onboard()
    assert again.stable == "green" and site.balancer.read(again.rule) == live


def test_a_rule_that_forwards_elsewhere_is_not_taken_for_ours(site: Site) -> None:
    record, _ = released_once(site)
    other = site.elbv2.create_target_group(
        Name="theirs", Protocol="HTTP", Port=80, VpcId=site.vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    site.balancer.write(record.rule, {other: 50, record.slots["green"].target_group: 50})
    site.records.stored.clear()
    with pytest.raises(Misconfigured, match="theirs"):
        site.onboard()


def test_all_six_services_fit_beside_each_other(site: Site) -> None:
    records = [site.onboard(name) for name in CATALOG.services]
    assert len({record.rule for record in records} | {record.smoke_rule for record in records}) == 12


@pytest.mark.parametrize("names", [("test1", "test2"), ("staging", "staging-eu"), ("eu-testing", "eu-tests")])
def test_environments_whose_names_begin_alike_share_nothing(site: Site, names: tuple[str, str]) -> None:
    """One account, one load balancer: each has target groups and a rule of its own."""
    found = []
    for name in names:
        there = msgspec.structs.replace(PRODUCTION, name=name, host_prefix=name)
        site.records.stored.clear()
        found.append(site.onboard(environment=there))
    one, two = ({record.rule, record.smoke_rule, *record.weights_by_target_group()} for record in found)
    assert not one & two


def made_by_an_earlier_version(site: Site, environment: str, slot: Any) -> str:
    name = former_target_group_name("backend-api", environment, slot)
    tags = {
        "candlefish:service": "backend-api",
        "candlefish:environment": environment,
        "candlefish:slot": slot,
    }
    made = site.elbv2.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=8000,
        VpcId=site.vpc,
        TargetType="ip",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def test_target_groups_of_an_earlier_version_stay_those_of_their_environment(site: Site) -> None:
    """Its names ended in four letters of the environment's: another environment passes them by."""
    old = {made_by_an_earlier_version(site, "production", slot) for slot in ("blue", "green")}
    assert set(site.onboard().weights_by_target_group()) == old
    site.records.stored.clear()
    assert set(site.onboard().weights_by_target_group()) == old, "its rule is found again"
    products = msgspec.structs.replace(PRODUCTION, name="products", host_prefix="products")
    site.records.stored.clear()
    assert not old & set(site.onboard(environment=products).weights_by_target_group())


def test_a_target_group_of_our_name_that_is_not_ours_is_refused(site: Site) -> None:
    name = target_group_name("backend-api", "production", "green")
    site.elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=site.vpc, TargetType="ip")
    with pytest.raises(Misconfigured, match=f"{name}.*not its own.*tag it candlefish:service=backend-api"):
        site.onboard()
    assert len(site.balancer.listed(site.listener)) == 1, "the default rule"


def test_a_strangers_rule_to_our_target_groups_is_not_taken_over(site: Site) -> None:
    record = site.onboard()
    site.records.stored.clear()
    site.elbv2.remove_tags(ResourceArns=[record.rule], TagKeys=["candlefish:environment"])
    with pytest.raises(Misconfigured, match="do not say that it is this service's"):
        site.onboard()


def test_weights_are_written_whole_and_without_stickiness(site: Site) -> None:
    record = site.onboard()
    converge(record, records=site.records, rules=site.balancer)
    action = site.elbv2.describe_rules(RuleArns=[record.rule])["Rules"][0]["Actions"][0]["ForwardConfig"]
    assert {group["Weight"] for group in action["TargetGroups"]} == {0, 100}
    assert action["TargetGroupStickinessConfig"]["Enabled"] is False


OIDC = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {
        "Issuer": "https://id.example",
        "AuthorizationEndpoint": "https://id.example/a",
        "TokenEndpoint": "https://id.example/t",
        "UserInfoEndpoint": "https://id.example/u",
        "ClientId": "c",
        "ClientSecret": "hidden",
        "SessionTimeout": 3600,
        "AuthenticationRequestExtraParams": {"prompt": "login"},
    },
}
COGNITO = {
    "Type": "authenticate-cognito",
    "Order": 1,
    "AuthenticateCognitoConfig": {
        "UserPoolArn": "arn:aws:cognito-idp:us-west-2:123456789012:userpool/p",
        "UserPoolClientId": "c",
        "UserPoolDomain": "d",
        "OnUnauthenticatedRequest": "deny",
    },
}
JWT = {
    "Type": "jwt-validation",
    "Order": 1,
    "JwtValidationConfig": {"JwksEndpoint": "https://id.example/keys", "Issuer": "https://id.example"},
}


def rule_of(site: Site, arn: str) -> dict[str, Any]:
    described: dict[str, Any] = site.elbv2.describe_rules(RuleArns=[arn])["Rules"][0]
    return described


def put_before(site: Site, arn: str, *logins: dict[str, Any], **more: Any) -> None:
    """Somebody puts a login before the forward of a rule."""
    (forward,) = (each for each in rule_of(site, arn)["Actions"] if each["Type"] == "forward")
    actions = [{**each, "Order": place} for place, each in enumerate(logins, 1)]
    last = {"Type": "forward", "Order": len(logins) + 1, "ForwardConfig": forward["ForwardConfig"]}
    site.elbv2.modify_rule(RuleArn=arn, Actions=[*actions, last], **more)


@pytest.mark.parametrize(
    "logins", [(OIDC,), (COGNITO,), (JWT,), (JWT, OIDC)], ids=lambda each: each[0]["Type"]
)
def test_a_login_before_the_forward_stays_whatever_is_shifted(
    site: Site, logins: tuple[dict[str, Any], ...]
) -> None:
    """A rule's actions are written as one: what is left out is gone, and an internal service is public."""
    record = site.onboard()
    rewrite = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/v1", "Replace": "/"}]}}
    put_before(site, record.rule, *logins, Transforms=[rewrite])
    before = rule_of(site, record.rule)
    assert "hidden" not in str(before), "a client's secret is never shown"
    for share in (10, 50, 100):
        groups = list(record.weights_by_target_group())
        site.balancer.write(record.rule, dict(zip(groups, (100 - share, share), strict=True)))
        assert site.balancer.read(record.rule)[groups[1]] == share
    after = rule_of(site, record.rule)
    assert after["Actions"][:-1] == before["Actions"][:-1]
    assert [each["Type"] for each in after["Actions"]] == [*(each["Type"] for each in logins), "forward"]
    assert (after["Conditions"], after["Transforms"]) == (before["Conditions"], before["Transforms"])


def test_a_rollback_keeps_the_login_of_the_rule(site: Site) -> None:
    record = site.onboard()
    put_before(site, record.rule, OIDC)
    site.balancer.look_ahead(record.rule)
    converge(record, records=site.records, rules=site.balancer)
    assert [each["Type"] for each in rule_of(site, record.rule)["Actions"]] == [
        "authenticate-oidc",
        "forward",
    ]


def test_a_rule_that_had_a_login_is_not_made_again_without(site: Site) -> None:
    """An internal service would be public: its client's secret is known to nobody here."""
    record = site.onboard()
    put_before(site, record.rule, OIDC)
    rule = rule_of(site, record.rule)
    seen = beside(rule, shadowing(site.balancer.listed(site.listener), rule))
    site.records.update("backend-api", lambda r: msgspec.structs.replace(r, beside=seen))
    site.elbv2.delete_rule(RuleArn=record.rule)
    with pytest.raises(
        Misconfigured, match=r"had a login .*authenticate-oidc https://id.example c.*onboard again"
    ):
        site.onboard()
    assert len(site.balancer.listed(site.listener)) == 2, "the smoke rule and the default"


@pytest.mark.parametrize(
    "last",
    [
        {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}},
        {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Host": "sorry.example.net"}},
    ],
    ids=lambda each: each["Type"],
)
def test_a_rule_that_does_something_else_is_not_written(site: Site, last: dict[str, Any]) -> None:
    """Somebody put a page in the place of the service: it stays until they take it away."""
    record = site.onboard()
    site.elbv2.modify_rule(RuleArn=record.rule, Actions=[last])
    with pytest.raises(Misconfigured, match=f"not ours \\({last['Type']}\\).*nothing was written"):
        converge(record, records=site.records, rules=site.balancer)
    assert [each["Type"] for each in rule_of(site, record.rule)["Actions"]] == [last["Type"]]


def test_an_action_that_is_not_known_here_is_not_written_back_without_its_words() -> None:
    """botocore drops the members that its model has not: they would be lost."""
    rule = {
        "RuleArn": "arn:r",
        "Actions": [{"Type": "guess-who", "Order": 1}, {"Type": "forward", "Order": 2}],
    }
    with pytest.raises(Misconfigured, match="guess-who"):
        with_weights(rule, {"blue": 100})


def test_rules_are_refused_as_elbv2_refuses_them(site: Site) -> None:
    """What the lab takes, AWS takes."""
    record = site.onboard()
    forward = rule_of(site, record.rule)["Actions"][0]
    config = {key: value for key, value in OIDC["AuthenticateOidcConfig"].items() if key != "ClientSecret"}  # type: ignore[union-attr]
    for actions in (
        [{**forward, "Order": 1}, {**OIDC, "Order": 2}],
        [OIDC],
        [{**OIDC, "AuthenticateOidcConfig": config}, {**forward, "Order": 2}],
        [
            {**OIDC, "AuthenticateOidcConfig": {**config, "UseExistingClientSecret": True}},
            {**forward, "Order": 2},
        ],
    ):
        with pytest.raises(ClientError, match=r"ValidationError|must|secret"):
            site.elbv2.modify_rule(RuleArn=record.rule, Actions=actions)


# --- rules of others ------------------------------------------------------------------------


def put_in_front(site: Site, priority: int, *conditions: dict[str, Any]) -> str:
    made = site.elbv2.create_target_group(
        Name=f"others-{priority}", Protocol="HTTP", Port=80, VpcId=site.vpc, TargetType="ip"
    )
    action = {"Type": "forward", "TargetGroupArn": made["TargetGroups"][0]["TargetGroupArn"]}
    rule = site.elbv2.create_rule(
        ListenerArn=site.listener, Priority=priority, Conditions=list(conditions), Actions=[action]
    )
    return str(rule["Rules"][0]["RuleArn"])


def hosts(*values: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


def paths(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def regex(host: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"RegexValues": [host]}}


GET = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}
QUERY = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "beta", "Value": "1"}]}}
HEADER = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["*"]}}
OFFICE = {"Field": "source-ip", "SourceIpConfig": {"Values": ["198.51.100.0/24"]}}
ANYWHERE = {"Field": "source-ip", "SourceIpConfig": {"Values": ["0.0.0.0/0"]}}


@pytest.mark.parametrize("priority", [1, 10, 500, 1000])
@pytest.mark.parametrize(
    "conditions",
    [
        [hosts("API.example.org")],
        [hosts("*.EXAMPLE.org")],
        [hosts("x.example.net", "a?i.example.org")],
        [regex(r"^api\..*$")],
        [paths("/*")],
        [paths("/health", "*"), ANYWHERE],
        [hosts("api.example.org"), paths("/*")],
        [hosts("*.example.org"), ANYWHERE],
    ],
    ids=str,
)
def test_a_rule_that_takes_everything_in_front_is_refused(
    site: Site, priority: int, conditions: list[dict[str, Any]]
) -> None:
    theirs = put_in_front(site, priority, *conditions)
    with pytest.raises(
        Misconfigured, match=f"priority {priority}.*the whole traffic of api.example.org"
    ) as refused:
        site.onboard()
    assert theirs in str(refused.value)
    assert len(site.balancer.listed(site.listener)) == 2, "theirs and the default"


@pytest.mark.parametrize(
    "conditions",
    [
        [hosts("shop.example.org")],
        [regex(r"^shop\.")],
        [hosts("api.example.org.example.net"), paths("/*")],
    ],
    ids=str,
)
def test_a_rule_for_another_host_is_nobodys_trouble(site: Site, conditions: list[dict[str, Any]]) -> None:
    put_in_front(site, 10, *conditions)
    record = site.onboard()
    rules = site.balancer.listed(site.listener)
    assert shadowing(rules, rule_of(site, record.rule)) == []


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (paths("/api/*"), "path-pattern /api/*"),
        (GET, "http-request-method GET"),
        (QUERY, "query-string beta=1"),
        (HEADER, "http-header X-Beta *"),
        (OFFICE, "source-ip 198.51.100.0/24"),
    ],
    ids=lambda each: str(each),
)
def test_a_rule_that_takes_a_part_is_said_and_not_refused(
    site: Site, condition: dict[str, Any], words: str
) -> None:
    """A path that leads elsewhere, or a redirect, may be meant."""
    theirs = put_in_front(site, 10, hosts("api.example.org"), condition)
    record = site.onboard()
    (found,) = shadowing(site.balancer.listed(site.listener), rule_of(site, record.rule))
    assert found == Shadow(theirs, 10, words)


def test_a_rule_behind_ours_takes_nothing(site: Site) -> None:
    record = site.onboard()
    put_in_front(site, 1500, hosts("api.example.org"))
    assert shadowing(site.balancer.listed(site.listener), rule_of(site, record.rule)) == []


def test_the_smoke_rule_points_to_one_slot(site: Site) -> None:
    record = site.onboard()
    point_smoke_rule(record, "green", rules=site.balancer)
    assert site.balancer.read(record.smoke_rule)[record.slots["green"].target_group] == 100


def test_the_tags_of_more_rules_than_one_call_takes(site: Site) -> None:
    record = site.onboard()
    group = {"Type": "forward", "TargetGroupArn": record.slots["blue"].target_group}
    for number in range(TAGS_AT_ONCE):
        host = [{"Field": "host-header", "Values": [f"{number}.example.org"]}]
        site.elbv2.create_rule(
            ListenerArn=site.listener, Priority=2000 + number, Conditions=host, Actions=[group]
        )
    site.balancer.stamp(record.rule, RecordMark(5, 3))
    assert {each.rule: each.mark for each in tagged(site.balancer, site.listener)} == {
        record.rule: RecordMark(5, 3),
        record.smoke_rule: RecordMark(),
    }


def test_a_tag_that_somebody_wrote_by_hand_is_no_generation(site: Site) -> None:
    record = site.onboard()
    site.elbv2.add_tags(ResourceArns=[record.rule], Tags=[{"Key": "candlefish:generation", "Value": "seven"}])
    assert {each.mark for each in tagged(site.balancer, site.listener)} == {RecordMark()}


def test_a_rule_that_was_deleted_is_named(site: Site) -> None:
    record = site.onboard()
    site.elbv2.delete_rule(RuleArn=record.rule)
    with pytest.raises(NotOnboarded, match="does not exist any more"):
        site.balancer.read(record.rule)


def test_target_health_counts_states(site: Site) -> None:
    record = site.onboard()
    group = record.slots["blue"].target_group
    site.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.5", "Port": 8000}])
    health = site.balancer.health(group)
    assert health.healthy + health.initial + health.unhealthy + health.unused == 1


@pytest.mark.parametrize("service", [*CATALOG.services, "a-service-with-quite-a-long-name-indeed"])
def test_target_group_names_fit_and_differ(service: str) -> None:
    names = {
        target_group_name(service, env, slot) for env in CATALOG.environments for slot in ("blue", "green")
    }  # type: ignore[arg-type]
    assert len(names) == 2 * len(CATALOG.environments)
    assert all(len(name) <= 32 for name in names)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("Throttling", 400, Throttled),
        ("RequestLimitExceeded", 503, Throttled),
        ("ServiceUnavailable", 503, Unavailable),
        ("InternalFailure", 500, Unavailable),
        ("AccessDenied", 403, Misconfigured),
        ("ValidationError", 400, Misconfigured),
    ],
)
def test_refusals_of_aws_become_errors_that_say_what_to_do(
    code: str, status: int, error: type[Exception]
) -> None:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert type(translated(ClientError(answer, "ModifyRule"), "writing")) is error


# --- what shifting needs: the same cases in memory ------------------------------------------

Balanced = tuple[Rules, ServiceRecord, Callable[[str, int], None]]


@pytest.fixture(params=["fake", "simulator", "elbv2"])
def balanced(request: pytest.FixtureRequest) -> Balanced:
    """Rules, the record of a service that has them, and how Pods come up in a slot."""
    if request.param == "fake":
        record = fresh()
        fake = FakeRules(record, healthy=0)

        def come(slot: str, pods: int) -> None:
            fake.targets[record.slots[slot].target_group] = TargetHealth(healthy=pods)

        return fake, record, come
    if request.param == "simulator":
        return simulated()
    site: Site = request.getfixturevalue("site")
    onboarded = site.onboard()

    def register(slot: str, pods: int) -> None:
        site.elbv2.register_targets(
            TargetGroupArn=onboarded.slots[slot].target_group,
            Targets=[{"Id": f"10.0.0.{number}", "Port": 8080} for number in range(10, 10 + pods)],
        )

    return site.balancer, onboarded, register


@pytest.fixture
def listener(balanced: Balanced) -> str:
    """The listener that the rules are of."""
    return balanced[1].rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def simulated() -> Balanced:
    """The simulator's, onboarded as any."""
    kernel = Kernel(seed=1)
    balancer = SimulatedBalancer(kernel)
    onboarded = onboard(
        "backend-api",
        catalog=CATALOG,
        environment=PRODUCTION,
        place=FittingPlace(balancer.listeners, "vpc-1", interval=10, deregistration_delay=30),
        shares=NoShares(),
        balancer=balancer,
        rules=balancer,
        records=MemoryRecords(),
        cluster=FakeCluster(),
        now=kernel.now,
    )

    def answer(slot: str, pods: int) -> None:
        hosts = [f"10.0.0.{number}" for number in range(10, 10 + pods)]
        for host in hosts:
            balancer.answers(host, 200)
        group = onboarded.slots[slot].target_group
        balancer.register(group, frozenset((host, 8080) for host in hosts))
        kernel.sleep(20)

    return balancer, onboarded, answer


def test_a_rule_has_the_weights_of_its_record_and_then_what_was_written(balanced: Balanced) -> None:
    rules, record, _ = balanced
    assert rules.read(record.rule) == record.weights_by_target_group()
    blue, green = (record.slots[slot].target_group for slot in ("blue", "green"))
    for weights in ({blue: 10, green: 90}, {blue: 100, green: 0}):
        rules.write(record.rule, weights)
        assert rules.read(record.rule) == weights
    assert rules.read(record.smoke_rule) == record.weights_by_target_group(), "each rule has its own"


def test_a_rule_that_is_not_there_is_not_onboarded(balanced: Balanced) -> None:
    rules, record, _ = balanced
    missing = record.rule.rpartition("/")[0] + "/0123456789abcdef"
    with pytest.raises(NotOnboarded, match="does not exist"):
        rules.read(missing)


def test_a_target_group_is_as_healthy_as_its_targets(balanced: Balanced) -> None:
    rules, record, come = balanced
    blue, green = (record.slots[slot].target_group for slot in ("blue", "green"))
    assert rules.health(blue) == TargetHealth()
    come("blue", 3)
    assert rules.health(blue) == TargetHealth(healthy=3)
    assert rules.health(green) == TargetHealth()


def test_a_rule_says_whose_it_is_and_who_wrote_it_last(balanced: Balanced, listener: str) -> None:
    rules, record, _ = balanced

    def known() -> dict[str, TaggedRule]:
        return {each.rule: each for each in tagged(rules, listener)}

    user, smoke = known()[record.rule], known()[record.smoke_rule]
    assert (user.service, user.mark, user.smoke_token) == ("backend-api", RecordMark(), "")
    assert user.weights == record.weights_by_target_group()
    assert (smoke.service, smoke.smoke_token) == ("backend-api", record.smoke_token)
    for said, stands in (((7, 1), (7, 1)), ((9, 1), (9, 1)), ((8, 2), (9, 1)), ((10, 2), (10, 2))):
        rules.stamp(record.rule, RecordMark(*said))
        assert known()[record.rule].mark == RecordMark(*stands), "a newer one stays"
    assert known()[record.smoke_rule].mark == RecordMark()
    assert tagged(rules, listener, "staging") == []
