"""What roles reach is what the catalog names, whatever it is called, and nothing that only begins alike."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.catalog.model import (
    Cache,
    Catalog,
    Console,
    Database,
    Endpoint,
    Environment,
    Recovery,
    Replica,
    Routing,
)
from candlefish.catalog.stack_parameters import NAMES, NOBODYS, PLACEHOLDER, derived, reach_of
from candlefish.failover.model import Baseline, Run
from candlefish.failover.steps.database import kept_name
from cli.samconfig import FILLED_IN, written
from lab.templates import read_template
from tests.support.catalogs import ACME, catalog
from tools.layers import ROOT
from tools.policies import Resolver
from tools.policies import roles as roles_of
from tools.preflight import checks
from tools.preflight.model import Section

PRODUCTION = catalog().environments["production"]
KEY = "arn:aws:kms:eu-west-1:333333333333:key/1234"


def environment(**changed: object) -> Environment:
    bare = {"databases": (), "caches": (), "recovery": Recovery()}
    return msgspec.structs.replace(PRODUCTION, **{**bare, **changed})


def matches(arn: str, name: str, **changed: object) -> bool:
    """Whether a parameter's list lets a role reach an ARN, by IAM's wildcards."""
    listed = reach_of(environment(**changed)).parameters.get(name, "").split(",")
    return any(fnmatchcase(arn, pattern) for pattern in listed)


def rds(region: str, rest: str) -> str:
    return f"arn:aws:rds:{region}:{PRODUCTION.account}:{rest}"


def test_a_database_of_any_name_is_reached_in_both_regions_and_under_its_fenced_name() -> None:
    orders = Database(
        name="main",
        identifier="orders",
        replica=Replica(identifier="orders-away", region="eu-west-1", keys=(KEY,)),
    )
    for arn in (
        rds("us-west-2", "db:orders"),
        rds("us-west-2", "db:orders-fenced-1790000000"),
        rds("eu-west-1", "db:orders-away"),
        rds("eu-west-1", "db:orders-away-fenced-1790000000"),
    ):
        assert matches(arn, "DatabaseArns", databases=(orders,)), arn
    for arn in (
        rds("us-west-2", "db:orders-eu"),
        rds("eu-west-1", "db:orders"),
        rds("us-west-2", "cluster:orders"),
    ):
        assert not matches(arn, "DatabaseArns", databases=(orders,)), arn
    assert reach_of(environment(databases=(orders,))).parameters["KeyArns"] == KEY


def test_a_long_name_is_reached_under_every_fenced_name() -> None:
    long = "a-database-whose-name-is-as-long-as-aws-takes-one-for-instances"
    assert len(long) == 63
    database = Database(name="main", identifier=long)
    for epoch in (1_790_000_000, 1_795_943_111):
        run = msgspec.convert(
            {
                "environment": "production",
                "target": "database/main",
                "plan": "database-rebuild",
                "epoch": epoch,
                "steps": [],
                "requested_by": "x",
                "reason": "y",
                "requested_at": 1.0,
                "to": "us-west-2",
            },
            Run,
        )
        kept = kept_name(
            run, Baseline(source="s", source_region="us-east-1", target=long, target_region="us-west-2")
        )
        assert len(kept) <= 63
        assert matches(rds("us-west-2", f"db:{kept}"), "DatabaseArns", databases=(database,))


def test_an_aurora_cluster_is_reached_with_its_global_database_and_the_reader_it_is_given() -> None:
    cluster = Database(name="main", identifier="shop", kind="aurora", global_cluster="shop-world")
    for rest in ("cluster:shop", "db:shop-standby"):
        assert matches(rds("us-west-2", rest), "DatabaseArns", databases=(cluster,))
    assert matches(rds("", "global-cluster:shop-world"), "DatabaseArns", databases=(cluster,))


def test_secrets_caches_zones_and_routing_controls_are_those_of_the_catalog() -> None:
    control = "arn:aws:route53-recovery-control::333333333333:controlpanel/a/routingcontrol/b"
    found = reach_of(
        msgspec.structs.replace(
            environment(
                databases=(
                    Database(
                        name="main",
                        identifier="orders",
                        secret="team/orders",
                        endpoint=Endpoint(zone="Z1ENDPOINT", name="db.internal"),
                    ),
                ),
                caches=(Cache(name="c", replication_group="sessions", global_datastore="ldgnf-sessions"),),
            ),
            recovery=Recovery(
                routing=Routing(zone="Z2USERS", controls={"us-west-2": control}), buckets=("uploads",)
            ),
        )
    ).parameters
    assert (
        found["HostedZoneArns"]
        == "arn:aws:route53:::hostedzone/Z1ENDPOINT,arn:aws:route53:::hostedzone/Z2USERS"
    )
    assert found["RoutingControlArns"] == control
    assert found["BucketArns"] == "arn:aws:s3:::uploads"
    assert (
        f"arn:aws:secretsmanager:us-east-1:{PRODUCTION.account}:secret:team/orders-??????"
        in found["SecretArns"]
    )
    assert (
        f"arn:aws:elasticache::{PRODUCTION.account}:globalreplicationgroup:ldgnf-sessions"
        in found["CacheArns"]
    )


def test_more_than_a_policy_takes_is_left_to_tags_and_told() -> None:
    many = tuple(Database(name=f"d{n}", identifier=f"database-number-{n}") for n in range(40))
    found = reach_of(environment(databases=many))
    assert len(found.parameters["DatabaseArns"]) < 2_000
    listed = found.parameters["DatabaseArns"].split(",")
    left_out = {arn for arn in found.left_out if ":db:" in arn}
    assert len(listed) + len(left_out) == 80 and not set(listed) & left_out


def test_the_template_declares_every_parameter_and_no_other() -> None:
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    listed = {name for name in NAMES if name.endswith("Arns")}
    assert {name for name in declared if name.endswith("Arns") and name != "ListenerArns"} == listed
    assert all(
        declared[name]["Type"] == "CommaDelimitedList" and declared[name]["Default"] for name in listed
    )
    assert set(NAMES) <= set(declared)


@pytest.mark.parametrize("name", ["development", "staging", "production"])
def test_what_is_checked_in_is_what_the_catalog_names(name: str) -> None:
    given = Resolver(name).values
    for parameter, value in reach_of(catalog().environments[name]).parameters.items():
        assert given[parameter] == value.split(",")


def test_no_role_reaches_a_database_because_of_how_its_name_begins() -> None:
    """`candlefish-staging*` is also `candlefish-staging-eu`'s; a catalog's names need not begin like that at all."""
    for role in roles_of("staging"):
        for statement in role.statements:
            resources = statement.get("Resource", [])
            for arn in [resources] if isinstance(resources, str) else resources:
                assert "candlefish-staging*" not in arn or ":rds:" not in arn, (role.logical, arn)


SAMCONFIG = """# Kept.
[staging.deploy.parameters]
parameter_overrides = [
    "Environment=staging",
    "SecretArns=of a secret that is gone",
    # Kept too.
    "VpcId=vpc-1",
    # Of the cluster.
    "ClusterName=old",
]

[production.deploy.parameters]
parameter_overrides = [
    "Environment=production",
]

[production-recovery.deploy.parameters]
parameter_overrides = [
    "Environment=production",
    "DatabaseArns=old",
    "ClusterName=mine",
]
"""


def test_samconfig_is_written_where_it_is_the_catalogs_alone() -> None:
    one = catalog()
    text = written(SAMCONFIG, one, "production")
    assert written(text, one, "production") == text
    sections = tomllib.loads(text)
    values = [f"{name}={value}" for name, value in derived(PRODUCTION, one).items()]
    given = {
        name: sections[name]["deploy"]["parameters"]["parameter_overrides"]
        for name in ("production", "production-recovery")
    }
    assert sorted(given["production"]) == sorted([*values, f"ClusterName={PRODUCTION.cluster}"])
    assert sorted(given["production-recovery"]) == sorted(
        [*values, f"HomeRegion={PRODUCTION.region}", "ClusterName=mine"]
    )
    assert sections["staging"] == tomllib.loads(SAMCONFIG)["staging"] and "# Kept." in text
    emptied = written(SAMCONFIG, one, "staging")
    assert "secret that is gone" not in emptied and "# Kept too." in emptied
    # A comment stays beside what it is about.
    assert '# Of the cluster.\n    "ClusterName=example-staging"' in emptied
    assert '"Production=no"' in emptied and '"Production=yes"' in text


def test_samconfig_is_made_of_a_catalog_alone_and_what_is_not_known_is_a_placeholder() -> None:
    one = load(ACME)
    text = ""
    for name in one.environments:
        text = written(text, one, name)
    sections = tomllib.loads(text)
    for name, environment in one.environments.items():
        deploy = sections[name]["deploy"]["parameters"]
        assert (deploy["region"], deploy["stack_name"]) == (environment.region, f"candlefish-{name}")
        assert f"ListenerArns={PLACEHOLDER}" in deploy["parameter_overrides"]
        of = Section(name, deploy, environment)
        blank = {
            each.about for each in checks.written(of, read_template(ROOT / "template.yaml")["Parameters"])
        }
        assert blank == set(FILLED_IN)
        assert list(checks.derived(of, one)) == []


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("eu-west-1", "aws"),
    ],
)
def test_no_policy_names_another_partition(region: str, partition: str) -> None:
    """IAM refuses a whole policy for it: 'Partition "aws" is not valid for resource'."""
    template = read_template(ROOT / "template.yaml")["Parameters"]
    defaults = {name: str(each.get("Default", "")) for name, each in template.items()}
    bare = environment(region=region, recovery_region=None)
    values = {**defaults, **derived(bare, catalog())}
    arns = [arn for name in NAMES for arn in values[name].split(",") if arn.startswith("arn:")]
    assert len(arns) >= 10
    assert {arn.split(":")[1] for arn in arns} == {partition}


def test_what_stands_for_nothing_is_what_the_template_has() -> None:
    template = read_template(ROOT / "template.yaml")["Parameters"]
    named = {
        name: each["Default"] for name, each in template.items() if "arn:aws:" in str(each.get("Default"))
    }
    assert {name: f"arn:aws:{rest}" for name, rest in NOBODYS.items()} == named


def test_what_is_productions_is_denied_to_whatever_puts_others_to_sleep() -> None:
    one = catalog()
    found = derived(one.environments["staging"], one)["ProductionArns"].split(",")
    assert f"arn:aws:eks:us-west-2:{PRODUCTION.account}:nodegroup/{PRODUCTION.cluster}/*" in found
    assert f"arn:aws:rds:us-west-2:{PRODUCTION.account}:db:{PRODUCTION.databases[0].identifier}" in found
    assert "ProductionArns" not in derived(PRODUCTION, one)


def with_console(*names: str, **changed: str) -> Catalog:
    """The catalog where these environments have a console."""
    one = catalog()
    console = Console(issuer="https://login.example.org", client="page", reader=("*",), **changed)
    environments = {
        name: msgspec.structs.replace(each, console=console if name in names else None)
        for name, each in one.environments.items()
    }
    return msgspec.structs.replace(one, environments=environments)


def test_who_signs_people_in_is_told_to_the_stack() -> None:
    one = with_console("production")
    said = derived(one.environments["production"], one)
    assert (said["ConsoleIssuer"], said["ConsoleAudience"]) == ("https://login.example.org", "page")
    assert "ConsoleSecretArn" not in said and "PeerArns" not in said
    other = with_console("production", audience="api", secret="shop/console")
    said = derived(other.environments["production"], other)
    assert said["ConsoleAudience"] == "api"
    assert said["ConsoleSecretArn"] == (
        f"arn:aws:secretsmanager:*:{PRODUCTION.account}:secret:shop/console-??????"
    )
    assert not {name for name in derived(PRODUCTION, catalog()) if name.startswith(("Console", "Peer"))}


def test_environments_with_a_console_ask_each_other_and_no_other() -> None:
    one = with_console("production", "staging")
    accounts = {name: each.account for name, each in one.environments.items()}
    said = derived(one.environments["production"], one)
    assert said["PeerArns"] == (
        f"arn:aws:lambda:us-west-2:{accounts['staging']}:function:candlefish-staging-serve-views:live"
    )
    assert said["PeerAccount1"] == accounts["staging"] and "PeerAccount2" not in said
    back = derived(one.environments["staging"], one)
    assert back["PeerAccount1"] == accounts["production"]
    assert "PeerArns" not in derived(one.environments["development"], one)


def test_a_drill_reaches_the_snapshots_of_its_databases_and_none_of_a_name_that_begins_alike() -> None:
    (database,) = PRODUCTION.databases
    patterns = reach_of(environment(databases=(database,))).parameters["SnapshotArns"].split(",")

    def reached(name: str) -> bool:
        arn = f"arn:aws:rds:us-west-2:{PRODUCTION.account}:snapshot:rds:{name}-2026-11-29-05-10"
        return any(fnmatchcase(arn, each) for each in patterns)

    assert reached(database.identifier)
    assert not reached(f"{database.identifier}-eu")
