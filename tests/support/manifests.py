"""Services to render, fixed and drawn at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from candlefish.catalog.model import (
    Cache,
    Cost,
    Database,
    Environment,
    Replicas,
    Resources,
    Secret,
    Service,
)
from candlefish.release.manifests import Workload

REPOSITORY = "ghcr.io/example-org/backend-api"
DIGEST = "sha256:" + "ab" * 32
PROXY = "docker.io/library/proxy"
PINNED_ELSEWHERE = f"{PROXY}@sha256:{'cd' * 32}"


def service(**changes: Any) -> Service:
    fields: dict[str, Any] = {
        "name": "backend-api",
        "image": REPOSITORY,
        "port": 8000,
        "health_path": "/health",
        "host": "api.example.org",
        "replicas": Replicas(min=5, max=25),
        "resources": Resources(cpu="100m", memory="128Mi", cpu_limit="1", memory_limit="512Mi"),
        "owner": "platform",
        "sidecars": (PROXY,),
    }
    return Service(**{**fields, **changes})


def environment(**changes: Any) -> Environment:
    fields: dict[str, Any] = {
        "name": "production",
        "account": "123456789012",
        "region": "us-west-2",
        "recovery_region": "us-east-1",
        "cluster": "example-production",
        "namespace": "example-prod",
        "strategy": "canary",
        "cost": Cost(low=1, high=2),
        "production": True,
    }
    return Environment(**{**fields, **changes})


def workload(**changes: Any) -> Workload:
    served = changes.pop("service", None) or service()
    fields: dict[str, Any] = {
        "service": served,
        "environment": environment(),
        "slot": "blue",
        "image": f"{served.image}@{DIGEST}",
        "version": "1.4.2",
        "release": "release-1",
        "generation": 1,
        "replicas": served.replicas,
        "target_group": "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/x/1",
    }
    return Workload(**{**fields, **changes})


names = st.text("abcxyz09", min_size=1, max_size=18).map(lambda text: f"s-{text}")
env_names = st.text("ABC_09", min_size=1, max_size=12).map(lambda text: f"E{text}")
words = st.text(max_size=80)
# Made once: a strategy that is made for every draw is checked for every draw.
ports = st.integers(1, 65535)
env_values = st.dictionaries(env_names, words, max_size=4)
secret_names = st.lists(env_names, max_size=3, unique=True)
paths = st.lists(names.map(lambda name: f"/{name}"), max_size=3, unique=True)
slots = st.sampled_from(["blue", "green"])
releases = st.text("abc09-", min_size=1, max_size=80)
roles = st.sampled_from(["", "arn:aws:iam::123456789012:role/api"])

commands = st.sampled_from([(), ("/bin/well", "--now")])
# How a service is reached and asked: every kind and protocol that the catalog lets through.
reached = st.one_of(
    st.fixed_dictionaries({"port": ports, "protocol": st.sampled_from(["http1", "http2"])}),
    st.fixed_dictionaries({"port": ports, "protocol": st.just("grpc"), "health_path": st.just("")}),
    st.fixed_dictionaries({"port": ports, "kind": st.just("cluster"), "health_command": commands}),
    st.fixed_dictionaries(
        {
            "port": st.sampled_from([0, 9000]),
            "kind": st.just("worker"),
            "health_path": st.just(""),
            "health_command": commands,
        }
    ),
)


@st.composite
def services(draw: st.DrawFn) -> Service:
    least = draw(st.integers(1, 50))
    return service(
        name=draw(names),
        **draw(reached),
        replicas=Replicas(min=least, max=draw(st.integers(least, 100))),
        env=draw(env_values),
        secrets=tuple(Secret(name=f"candlefish/{name}", env=name) for name in draw(secret_names)),
        writable_paths=tuple(draw(paths)),
    )


dependencies = st.lists(services(), max_size=2)


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    production = draw(st.booleans())
    stores = draw(st.booleans())
    served = draw(services())
    return workload(
        service=served,
        environment=environment(
            production=production,
            databases=(Database(name="main", identifier="main-db"),) if stores else (),
            caches=(Cache(name="main", replication_group="main-redis"),) if stores else (),
        ),
        slot=draw(slots),
        version=draw(words),
        release=draw(releases),
        role=draw(roles),
        ready_within=draw(st.floats(1, 3600)),
        drain=draw(st.integers(0, 120)),
        dependencies=tuple(draw(dependencies)),
    )
