"""What failovers read and change in two regions: the same cases in the simulated world and on AWS as moto has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from candlefish.adapters.aws.nodegroups import EksNodeGroups
from candlefish.adapters.aws.rds_failover import RdsDatabases
from candlefish.adapters.aws.route53 import AliasRoutes, Cnames
from candlefish.adapters.aws.secret_hosts import SecretHosts
from candlefish.errors import Misconfigured, Unavailable
from candlefish.failover.facts import Copy
from candlefish.failover.ports import Caches, Databases, DnsRecords, NodeGroups, Routes, Secrets
from lab.memory.failover.caches import MemoryCaches
from lab.memory.failover.databases import MemoryDatabases
from lab.memory.failover.edges import MemoryDnsRecords, MemorySecrets
from lab.memory.failover.site import MemoryNodeGroups, MemoryRoutes
from lab.moto import secrets as lab_secrets
from tests.support.failover.aws import AwsWorld, aws_world
from tests.support.failover.catalog import AWAY, AWAY_FENCE, CACHE, DATABASE, FENCE, HOME
from tests.support.failover.site import BALANCER
from tests.support.failover.world import World

NAME, HOSTS = "db.internal.example", ["web.internal.example", "api.internal.example"]


class Simulated:
    """The world of unit tests."""

    def __init__(self) -> None:
        self.world = World()
        self.world.dns.clear()
        self.database, self.cache, self.zone = DATABASE, CACHE, "Z123"
        self.fences = {HOME: FENCE, AWAY: AWAY_FENCE}

    def databases(self, region: str) -> Databases:
        return MemoryDatabases(self.world, region)

    def caches(self, region: str) -> Caches:
        return MemoryCaches(self.world, region)

    def secrets(self, region: str) -> Secrets:
        return MemorySecrets(self.world, region)

    def dns(self) -> DnsRecords:
        return MemoryDnsRecords(self.world)

    def nodes(self) -> NodeGroups:
        return MemoryNodeGroups(self.world, AWAY)

    def routes(self) -> Routes:
        return MemoryRoutes(self.world, AWAY, BALANCER)

    def silent(self, region: str) -> Databases:
        """The databases of a region that does not answer."""
        self.world.down.add(region)
        return self.databases(region)

    def take_long(self) -> None:
        """Have work take as long as it does on AWS."""

    def now(self) -> float:
        return self.world.clock()

    def wait(self, done: Callable[[], object]) -> None:
        for _ in range(1000):
            if done():
                return
            self.world.clock.forward(1)
        raise AssertionError("it never came")


class OnAws:
    """RDS, ElastiCache, Secrets Manager, Route 53 and EKS of moto."""

    def __init__(self, world: AwsWorld) -> None:
        self.world = world
        self.database, self.cache, self.zone = world.database, world.cache, world.zone
        self.fences = {region: groups[1] for region, groups in world.groups.items()}
        self._made: set[str] = set()

    def _need(self, thing: str, make: Callable[[], None]) -> None:
        if thing not in self._made:
            self._made.add(thing)
            make()

    def databases(self, region: str) -> Databases:
        self._need("database", self.world.make_database)
        return self.world.databases()[region]

    def caches(self, region: str) -> Caches:
        self._need("cache", self.world.make_cache)
        return self.world.caches()[region]

    def secrets(self, region: str) -> Secrets:
        home = self.world.client("secretsmanager", HOME)
        away = self.world.client("secretsmanager", AWAY)
        value = '{"host": "db.old.example", "username": "app"}'
        home.create_secret(Name="app/database", SecretString=value, AddReplicaRegions=[{"Region": AWAY}])
        return SecretHosts(region, home if region == HOME else away)

    def dns(self) -> DnsRecords:
        return Cnames(self.world.client("route53", "us-east-1"))

    def nodes(self) -> NodeGroups:
        eks = self.world.client("eks", AWAY)
        role = "arn:aws:iam::123456789012:role/x"
        eks.create_cluster(name="c", roleArn=role, resourcesVpcConfig={"subnetIds": ["s"]})
        eks.create_nodegroup(
            clusterName="c",
            nodegroupName="general",
            subnets=["s"],
            nodeRole=role,
            scalingConfig={"minSize": 0, "maxSize": 2, "desiredSize": 1},
        )
        return EksNodeGroups(eks, "c")

    def routes(self) -> Routes:
        return AliasRoutes(self.world.client("route53", "us-east-1"), self.zone, BALANCER, "Z35SXDOTRQ7X7K")

    def silent(self, region: str) -> Databases:
        config = Config(connect_timeout=0.2, read_timeout=0.2, retries={"max_attempts": 1})
        session = botocore.session.Session()
        dead = session.create_client(
            "rds", region_name=region, endpoint_url="http://127.0.0.1:9", config=config
        )
        return RdsDatabases(region, dead, None)

    def take_long(self) -> None:
        self.world.timeline.time_scale = 1.0

    def now(self) -> float:
        return time.time()

    def wait(self, done: Callable[[], object]) -> None:
        self.world.wait(done)


Regions = Simulated | OnAws


@pytest.fixture(params=["fake", "aws"])
def regions(request: pytest.FixtureRequest) -> Iterator[Regions]:
    if request.param == "fake":
        yield Simulated()
        return
    with aws_world() as world:
        lab_secrets.install()
        yield OnAws(world)


def copy_of(regions: Regions, region: str, identifier: str) -> Copy:
    found = regions.databases(region).read(regions.database, identifier)
    assert found is not None
    return found


def at_rest(regions: Regions, region: str, identifier: str) -> Callable[[], Any]:
    return lambda: copy_of(regions, region, identifier).status == "available"


# --- databases ------------------------------------------------------------------------------


def test_a_primary_and_its_replica_are_read_each_in_its_region(regions: Regions) -> None:
    home, away = copy_of(regions, HOME, "orders"), copy_of(regions, AWAY, "orders-away")
    assert (home.role, home.follows, home.region, home.standby) == ("primary", "", HOME, True)
    assert (away.role, away.follows, away.region) == ("replica", "orders", AWAY)
    assert home.status == away.status == "available"
    assert home.retention_days == 30
    assert home.address and away.address and home.address != away.address


def test_a_copy_that_is_not_there_is_none_and_cannot_be_changed(regions: Regions) -> None:
    databases = regions.databases(HOME)
    assert databases.read(regions.database, "nothing") is None
    with pytest.raises(Misconfigured):
        databases.set_groups(regions.database, "nothing", (regions.fences[HOME],))


def test_a_region_that_does_not_answer_is_unavailable(regions: Regions) -> None:
    with pytest.raises(Unavailable):
        regions.silent(HOME).read(regions.database, "orders")


def test_the_lag_comes_oldest_first(regions: Regions) -> None:
    lag = regions.databases(AWAY).lag(regions.database, "orders-away", regions.now() - 600)
    assert lag and [each.at for each in lag] == sorted(each.at for each in lag)
    assert 0 <= lag[-1].seconds < 60


def test_another_zone_takes_over(regions: Regions) -> None:
    before = copy_of(regions, HOME, "orders")
    regions.databases(HOME).fail_over(regions.database, "orders")
    regions.wait(lambda: copy_of(regions, HOME, "orders").failed_over_at > 0)
    regions.wait(at_rest(regions, HOME, "orders"))
    after = copy_of(regions, HOME, "orders")
    assert after.zone != before.zone
    assert after.role == "primary"


def test_security_groups_change_after_a_moment_and_again_is_harmless(regions: Regions) -> None:
    fence = (regions.fences[HOME],)
    for _ in range(2):
        regions.databases(HOME).set_groups(regions.database, "orders", fence)
        regions.wait(lambda: copy_of(regions, HOME, "orders").groups == fence)
    assert copy_of(regions, HOME, "orders").status == "available"


def test_a_restart_is_written_down(regions: Regions) -> None:
    assert copy_of(regions, HOME, "orders").restarted_at == 0
    regions.databases(HOME).restart(regions.database, "orders")
    regions.wait(lambda: copy_of(regions, HOME, "orders").restarted_at > 0)
    regions.wait(at_rest(regions, HOME, "orders"))
    assert copy_of(regions, HOME, "orders").failed_over_at == 0


def test_a_database_that_is_busy_is_an_answer_that_passes(regions: Regions) -> None:
    databases = regions.databases(HOME)
    regions.take_long()
    databases.restart(regions.database, "orders")
    regions.wait(lambda: copy_of(regions, HOME, "orders").status != "available")
    with pytest.raises(Unavailable, match="it is busy"):
        databases.fail_over(regions.database, "orders")


def test_a_replica_is_promoted_once_however_often_it_is_asked(regions: Regions) -> None:
    databases = regions.databases(AWAY)
    databases.promote(regions.database, "orders-away", planned=False, retention_days=30)
    regions.wait(lambda: copy_of(regions, AWAY, "orders-away").role == "primary")
    regions.wait(at_rest(regions, AWAY, "orders-away"))
    databases.promote(regions.database, "orders-away", planned=False, retention_days=30)
    promoted = copy_of(regions, AWAY, "orders-away")
    assert (promoted.role, promoted.follows, promoted.status) == ("primary", "", "available")
    assert copy_of(regions, HOME, "orders").role == "primary", "nobody else is touched"


def test_a_promoted_copy_is_protected(regions: Regions) -> None:
    databases = regions.databases(AWAY)
    databases.promote(regions.database, "orders-away", planned=False, retention_days=7)
    regions.wait(lambda: copy_of(regions, AWAY, "orders-away").role == "primary")
    regions.wait(at_rest(regions, AWAY, "orders-away"))
    databases.protect(regions.database, "orders-away", retention_days=30)
    regions.wait(lambda: copy_of(regions, AWAY, "orders-away").standby)
    assert copy_of(regions, AWAY, "orders-away").retention_days == 30


def test_a_renamed_copy_is_found_by_its_new_name_alone(regions: Regions) -> None:
    regions.databases(HOME).rename(regions.database, "orders", "orders-fenced-2")
    regions.wait(lambda: regions.databases(HOME).read(regions.database, "orders-fenced-2"))
    assert regions.databases(HOME).read(regions.database, "orders") is None


def test_a_replica_is_made_once_and_follows_its_source(regions: Regions) -> None:
    source, like = copy_of(regions, HOME, "orders"), copy_of(regions, AWAY, "orders-away")
    for _ in range(2):
        regions.databases(AWAY).replicate(
            regions.database, "orders-third", source=source, like=like, groups=(regions.fences[AWAY],)
        )
    regions.wait(lambda: copy_of(regions, AWAY, "orders-third").status == "available")
    made = copy_of(regions, AWAY, "orders-third")
    assert (made.role, made.follows) == ("replica", "orders")


# --- caches ---------------------------------------------------------------------------------


def test_a_cache_is_read_with_its_datastore(regions: Regions) -> None:
    cache = regions.cache
    home, away = (
        regions.caches(region).read(cache.replication_group, cache.global_datastore)
        for region in (HOME, AWAY)
    )
    assert (home.group, away.group) == ("sessions", "sessions-away")
    assert home.status == "available" and home.automatic_failover and home.primaries
    assert home.global_primary == away.global_primary == HOME
    assert set(home.regions) == {HOME, AWAY}
    assert home.address and home.address != away.address


def test_a_node_group_gets_another_primary(regions: Regions) -> None:
    group, datastore = regions.cache.replication_group, regions.cache.global_datastore
    caches = regions.caches(HOME)
    before = caches.read(group, datastore).primaries
    caches.fail_over(group, "0001")
    regions.wait(lambda: caches.read(group, datastore).primaries["0001"] != before["0001"])
    regions.wait(lambda: caches.read(group, datastore).status == "available")


def test_the_datastores_primary_moves_to_the_region_that_is_asked(regions: Regions) -> None:
    group, datastore = regions.cache.replication_group, regions.cache.global_datastore
    caches = regions.caches(AWAY)
    caches.promote(datastore, AWAY, "sessions-away")
    regions.wait(lambda: caches.read(group, datastore).global_primary == AWAY)
    regions.wait(lambda: caches.read(group, datastore).datastore_status in ("available", "primary-only"))


# --- what points at them --------------------------------------------------------------------


def test_a_secret_that_follows_another_region_is_cut_off_before_its_host_is_written(regions: Regions) -> None:
    secrets = regions.secrets(AWAY)
    before = secrets.read("app/database")
    assert (before.host, before.replica) == ("db.old.example", True)
    for _ in range(2):
        secrets.set_host("app/database", "db.new.example")
        after = secrets.read("app/database")
        assert (after.host, after.replica) == ("db.new.example", False)


def test_a_record_points_at_what_it_was_last_pointed_at(regions: Regions) -> None:
    dns = regions.dns()
    assert dns.read(regions.zone, NAME) == ""
    for value in ("a.example", "b.example", "b.example"):
        dns.point(regions.zone, NAME, value)
        assert dns.read(regions.zone, NAME) == value


def test_hosts_are_led_to_this_site_together(regions: Regions) -> None:
    routes = regions.routes()
    assert routes.read(HOSTS) == dict.fromkeys(HOSTS, "")
    for _ in range(2):
        routes.lead(HOSTS)
        assert routes.read(HOSTS) == dict.fromkeys(HOSTS, BALANCER)


# --- nodes ----------------------------------------------------------------------------------


def test_node_groups_are_raised_and_never_lowered(regions: Regions) -> None:
    nodes = regions.nodes()
    assert nodes.read({"missing": 1}) == {}

    def seen() -> tuple[int, int, str]:
        group = nodes.read({"general": 4})["general"]
        return group.desired, group.needed, group.status

    assert seen() == (1, 4, "ACTIVE")
    nodes.raise_to("general", 4)
    regions.wait(lambda: seen() == (4, 4, "ACTIVE"))
    nodes.raise_to("general", 2)
    regions.wait(lambda: seen() == (4, 4, "ACTIVE"))
