"""The same cases against the lab's fake API server and, when there is one, a real one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import yaml

from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from lab.kube import FakeCluster as FakeServer
from lab.kube import NullRuntime
from tests.support.cluster import FakeCluster
from tests.support.kubernetes.envtest import ADMIN_TOKEN, RealCluster, missing_assets
from tests.support.kubernetes.rest import Rest
from tests.support.kubernetes.servers import (
    GROUPS,
    OLDER,
    ROOT,
    Server,
    Slots,
    World,
    applied,
    authenticate,
    until,
)
from tests.support.kubernetes.simulated import Simulated, SimulatedRest

REAL = pytest.param("real", marks=pytest.mark.lab)


@pytest.fixture(scope="session")
def fake_server() -> Iterator[Server]:
    """The lab's."""
    fake = FakeServer(NullRuntime(), authenticate=authenticate(), time_scale=0.0)
    fake.start()
    yield Server("fake", fake.endpoint, fake.ca_pem, Rest(fake.endpoint, fake.ca_pem, fake.admin_token), 31)
    fake.stop()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One from $KUBEBUILDER_ASSETS."""
    if why := missing_assets():
        pytest.skip(why)
    real = RealCluster(tmp_path_factory.mktemp("envtest"), authenticate())
    real.start()
    admin = Rest(real.endpoint, real.ca_pem, ADMIN_TOKEN)
    minor = int(admin.must("GET", "/version")["minor"].rstrip("+"))
    yield Server("real", real.endpoint, real.ca_pem, admin, minor)
    real.stop()


@pytest.fixture(scope="session")
def simulated_server() -> Server:
    """The simulator's."""
    simulated = Simulated()
    return Server("simulated", "", "", SimulatedRest(simulated), 31, simulated)


@pytest.fixture(scope="session", params=["fake", "simulated", REAL])
def server(request: pytest.FixtureRequest) -> Server:
    """Each in turn."""
    chosen: Server = request.getfixturevalue(f"{request.param}_server")
    return chosen


@pytest.fixture(params=["fake", "lab", "simulated", REAL])
def slots(request: pytest.FixtureRequest) -> Iterator[Slots]:
    """A namespace to run slots in: of the cluster of unit tests, and of the adapter on each API server."""
    if request.param == "fake":
        fake = FakeCluster()
        yield Slots("contract", fake, partial(applied, fake))
        return
    name = "fake" if request.param == "lab" else request.param
    server = request.getfixturevalue(f"{name}_server")
    with namespace_on(server) as world:
        yield Slots(world.namespace, world.cluster, world.apply)


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    with namespace_on(server) as made:
        yield made


@contextmanager
def namespace_on(server: Server) -> Iterator[World]:
    """A namespace on a server, as the control plane with its limited role sees it."""
    namespace = f"contract-{secrets.token_hex(4)}"
    server.admin.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for document in yaml.safe_load_all((ROOT / "deploy/rbac.yaml").read_text()):
        plural = {"Role": "roles", "RoleBinding": "rolebindings"}[document["kind"]]
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/{plural}"
        server.admin.must("POST", path, document)
    # A Pod is refused until the namespace's default account exists.
    if server.kind == "real":
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        until(lambda: server.admin.call("GET", account)[0], lambda status: status == 200)
    yield World(server, namespace, KubernetesCluster(server.carrier()), server.rest())
    # Whoever looks at the whole cluster need not look at what is left of other tests.
    for kind in ("horizontalpodautoscalers", "deployments", "statefulsets", "poddisruptionbudgets"):
        group = GROUPS[kind] if server.minor >= 23 else OLDER.get(kind, GROUPS[kind])
        path = f"{group}/namespaces/{namespace}/{kind}"
        for each in server.admin.must("GET", path)["items"]:
            server.admin.call("DELETE", f"{path}/{each['metadata']['name']}")
