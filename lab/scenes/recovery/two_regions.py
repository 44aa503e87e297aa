"""The lab with a second region, databases, caches and DNS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from candlefish.adapters.aws.elbv2 import load_balancer_of
from candlefish.adapters.aws.route53 import AliasRoutes, Cnames
from candlefish.catalog.model import Environment
from lab.choices import recovering, two
from lab.databases.rds_servers import RdsServers
from lab.looks import looks
from lab.moto import secrets as moto_secrets
from lab.moto.elasticache import ElastiCache
from lab.moto.rds import Rds
from lab.scenes import helm_chart
from lab.scenes.bring_up import bring_up
from lab.scenes.recovery.data import GLOBAL, Regions, make_data, point_home
from lab.world import FIRST_VERSION, Site, World

# A minute of AWS takes two seconds.
TIME_SCALE = 30.0


class RecoveryWorld(World):
    """Production in two regions: `env`, with two `services`, of which `bundled` comes as a bundle from Helm.

    The recovery region has to have that too.
    """

    def __init__(self, directory: Path, say: Callable[[str], None] = lambda text: None) -> None:
        super().__init__(directory, time_scale=TIME_SCALE, say=say)
        self.servers = RdsServers(self.timeline, self._report_lag)
        self.elasticache = ElastiCache(self.timeline)
        Rds(self.timeline, self.servers).install()
        self.elasticache.install()
        moto_secrets.install()
        self.servers.install()
        self.env, self.services = recovering(self.catalog).name, two(self.catalog)
        self.bundled = self.services[1]
        services = {name: self.catalog.services[name] for name in self.services}
        self.catalog = msgspec.structs.replace(self.catalog, services=services)
        # The same stack in the recovery region; made together with the one at home.
        self.standby: Site

    @property
    def environment(self) -> Environment:
        return self.catalog.environments[self.env]

    @property
    def home(self) -> str:
        return self.environment.region

    @property
    def away(self) -> str:
        return self.environment.recovery_region

    # --- up and down ------------------------------------------------------------------------

    def parameters(self) -> dict[str, str]:
        return {"RecoverySpeed": str(TIME_SCALE), "DatabaseCaPath": ""}

    def make_site(self, name: str, number: int, environment: Environment | None = None) -> Site:
        """The environment in both regions; the site at home."""
        regions = Regions(self.home, self.away, self.clients)
        # The zone is the registered domain of what users ask for.
        domain = ".".join(self.hosts()[0].split(".")[-2:])
        made = make_data(regions, self.environment, domain, self.servers, self.elasticache)
        environments = {**self.catalog.environments, self.env: made}
        self.use_catalog(msgspec.structs.replace(self.catalog, environments=environments))
        standby = msgspec.structs.replace(made, region=self.away, cluster=f"{made.cluster}-recovery")
        self.standby = super().make_site(name, number + 50, standby)
        site = super().make_site(name, number)
        point_home(regions, made)
        self.routes(site).lead(self.hosts())
        return site

    def down(self) -> None:
        self.servers.close()
        super().down()

    # --- where things are ---------------------------------------------------------------------

    def site_in(self, region: str) -> Site:
        """The environment in one of its regions."""
        return self.standby if region == self.away else self.sites[self.env]

    def call(self, region: str, function: str, event: Any) -> Any:
        """Call a function of the stack in a region."""
        return self.invoke_in(region, self.env, function, event)

    def hosts(self) -> list[str]:
        """What users ask for."""
        return [self.host(self.env, name) for name in self.services]

    def balancer(self, site: Site) -> Any:
        """The load balancer of a site, as DNS names it."""
        return load_balancer_of(self.clients(site.region)("elbv2"), site.network.listener)

    def routes(self, site: Site) -> AliasRoutes:
        """The records of the hosts, as the stack of a site sees them."""
        routing = self.environment.recovery.routing
        assert routing and routing.zone
        balancer = self.balancer(site)
        return AliasRoutes(self.clients(GLOBAL)("route53"), routing.zone, balancer.dns_name, balancer.zone)

    def resolve(self) -> str:
        """What the database's record points at."""
        endpoint = self.environment.databases[0].endpoint
        assert endpoint
        return Cnames(self.clients(GLOBAL)("route53")).read(endpoint.zone, endpoint.name)

    def _report_lag(self, region: str, identifier: str, seconds: float) -> None:
        self.clients(region)("cloudwatch").put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": "ReplicaLag",
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": identifier}],
                    "Value": seconds,
                    "Timestamp": time.time() - 0.5,
                }
            ],
        )


def start(directory: Path, say: Callable[[str], None]) -> RecoveryWorld:
    """A running world, with the replica in step.

    Raises
    ------
    lab.databases.postgres.PostgresMissing
        There is no PostgreSQL here.
    """
    world = RecoveryWorld(directory, say)
    try:
        bring_up(world, (world.env,), world.services, lambda environment, service: _more_of(world, service))
        for service in world.services:
            world.call(world.away, "onboard", {"service": service})
        _wait_for_replica(world)
        world.call(world.home, "probe-database", {"do": "beat"})
        time.sleep(2.0)
    except BaseException:
        world.down()
        raise
    return world


def _more_of(world: RecoveryWorld, service: str) -> Mapping[str, str]:
    if service != world.bundled:
        return {}
    site = world.sites[world.env]
    documents = helm_chart.rendered(service, world.image(service, FIRST_VERSION))
    return helm_chart.upload(world.clients(site.region)("s3"), site.stack.outputs["BundlesBucket"], documents)


def _wait_for_replica(world: RecoveryWorld, seconds: float = 120) -> None:
    rds = world.clients(world.away)("rds")
    for _ in looks(seconds):
        if rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available":
            return
    raise TimeoutError(f"the replica in {world.away} did not come up within {seconds:.0f} s")
