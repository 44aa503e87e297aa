"""The environment that fails over: two regions, a database, a cache, people who may say yes."""

from __future__ import annotations

from candlefish.catalog.model import (
    Cache,
    Catalog,
    Cost,
    Database,
    Endpoint,
    Environment,
    Person,
    Recovery,
    Replica,
    Replicas,
    Resources,
    Service,
    Strategy,
)
from candlefish.failover.model import Pace

HOME, AWAY = "us-west-2", "us-east-1"
OPEN, FENCE, AWAY_OPEN, AWAY_FENCE = "sg-0a0a0a0a", "sg-0f0f0f0f", "sg-0b0b0b0b", "sg-0e0e0e0e"
PACE = Pace(poll=15, settle=60, within=3600)
DATABASE = Database(
    name="main",
    identifier="orders",
    secret="app/database",
    replica=Replica(identifier="orders-away", region=AWAY, groups=(AWAY_OPEN,), fence_group=AWAY_FENCE),
    groups=(OPEN,),
    fence_group=FENCE,
    endpoint=Endpoint(zone="Z123", name="db.internal.example"),
)
CACHE = Cache(
    name="sessions",
    replication_group="sessions",
    global_datastore="global-sessions",
    endpoint=Endpoint(zone="Z123", name="cache.internal.example"),
)
ENVIRONMENT = Environment(
    name="production",
    account="333333333333",
    region=HOME,
    recovery_region=AWAY,
    cluster="c",
    namespace="n",
    strategy="rolling",
    cost=Cost(low=1, high=2),
    production=True,
    databases=(DATABASE,),
    caches=(CACHE,),
    recovery=Recovery(standby=True, nodes={"general": 3}),
)
PEOPLE = {
    "lead": Person(name="lead", github="lead-hub", aws=("user/lead",), approver=True),
    "second": Person(name="second", aws=("user/second",), approver=True),
    "developer": Person(name="developer", aws=("user/developer",)),
}


def service(name: str, *depends_on: str) -> Service:
    return Service(
        name=name,
        image=f"ghcr.io/x/{name}",
        port=8080,
        health_path="/health",
        host=f"{name}.example.com",
        replicas=Replicas(min=2, max=4),
        resources=Resources(cpu="1", memory="1Gi", cpu_limit="1", memory_limit="1Gi"),
        owner="x",
        depends_on=depends_on,
    )


CATALOG = Catalog(
    services={s.name: s for s in (service("web", "api"), service("api"))},
    environments={"production": ENVIRONMENT},
    strategies={"rolling": Strategy(name="rolling", kind="rolling")},
    policies={},
    people=PEOPLE,
)
