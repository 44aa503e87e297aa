"""What of a slot's objects is otherwise where no load balancer is, or something else than HTTP/1.1 is spoken."""

from __future__ import annotations

from typing import Any

import pytest

from candlefish.catalog.model import Service
from candlefish.errors import InvalidInput
from candlefish.release.manifests import Workload, from_bundle, render
from candlefish.release.model import Manifest
from tests.support.manifests import service, workload

WORKER: dict[str, Any] = {"kind": "worker", "port": 0, "health_path": "", "host": ""}
CLUSTER: dict[str, Any] = {"kind": "cluster", "host": ""}
GRPC: dict[str, Any] = {"protocol": "grpc", "health_path": ""}


def objects(**changes: Any) -> dict[str, Manifest]:
    return {each["kind"]: each for each in render(workload(service=service(**changes)))}


def container(made: dict[str, Manifest]) -> dict[str, Any]:
    (only,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, {"Service", "TargetGroupBinding"}),
        (CLUSTER, {"Service"}),
        (WORKER, set[str]()),
        ({**WORKER, "port": 9000, "health_path": "/health"}, set[str]()),
    ],
    ids=["web", "cluster", "worker", "worker with a port"],
)
def test_only_what_is_reached_has_what_leads_to_it(changes: dict[str, Any], kinds: set[str]) -> None:
    assert objects(**changes).keys() & {"Service", "TargetGroupBinding"} == kinds


def test_a_worker_is_not_asked_stops_at_once_and_lets_nobody_in() -> None:
    made = objects(**WORKER)
    assert (
        not {"ports", "lifecycle", "readinessProbe", "startupProbe", "livenessProbe"} & container(made).keys()
    )
    assert made["NetworkPolicy"]["spec"]["ingress"] == []
    assert made["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_command_in_the_container_says_that_it_is_well() -> None:
    made = container(objects(**WORKER, health_command=("/bin/well", "--now")))
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert made[probe]["exec"] == {"command": ["/bin/well", "--now"]}


def test_a_worker_with_a_port_is_asked_there() -> None:
    made = objects(**{**WORKER, "port": 9000, "health_path": "/health"})
    assert container(made)["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert made["NetworkPolicy"]["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 9000}]}]


@pytest.mark.parametrize(
    ("changes", "name", "spoken"),
    [({}, "http", None), ({"protocol": "http2"}, "http2", "kubernetes.io/h2c"), (GRPC, "grpc", "kubernetes.io/h2c")],
    ids=["http1", "http2", "grpc"],
)  # fmt: skip
def test_a_port_says_what_is_spoken_there(changes: dict[str, Any], name: str, spoken: str | None) -> None:
    made = objects(**changes)
    (port,) = made["Service"]["spec"]["ports"]
    assert (port["name"], port.get("appProtocol")) == (name, spoken)
    assert container(made)["ports"] == [{"name": name, "containerPort": 8000, "protocol": "TCP"}]


def test_grpc_is_asked_by_its_own_health_check() -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container(objects(**GRPC))[probe]["grpc"] == {"port": 8000}


def test_nobody_calls_a_worker_that_is_released_first() -> None:
    first = service(name="mailer", **WORKER)
    made = {each["kind"]: each for each in render(workload(dependencies=(first, service(name="other"))))}
    called = [rule["to"] for rule in made["NetworkPolicy"]["spec"]["egress"] if "to" in rule]
    assert [{"podSelector": {"matchLabels": {"candlefish.ai/service": "other"}}}] in called
    assert "mailer" not in str(called)


def bundled(served: Service, *more: Manifest) -> tuple[Manifest, ...]:
    """What a chart's bundle becomes: its Deployment, as Helm would write it."""
    made: Workload = workload(service=served)
    limits = {"cpu": "1", "memory": "1Gi"}
    pod = {"containers": [{"name": "main", "image": served.image, "resources": {"limits": limits}}]}
    labels = {"app": served.name}
    deployment: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": served.name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return from_bundle([deployment, *more], made)


def chart_service(port: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "backend-api"},
        "spec": {"selector": {"app": "backend-api"}, "ports": [{"port": port}]},
    }


def test_a_chart_of_a_worker_needs_no_service() -> None:
    made = [each["kind"] for each in bundled(service(**WORKER))]
    assert not {"Service", "TargetGroupBinding"} & set(made)


def test_a_chart_of_a_worker_may_have_a_service_all_the_same() -> None:
    made = [each for each in bundled(service(**WORKER), chart_service(9102)) if each["kind"] == "Service"]
    assert [each["metadata"]["name"] for each in made] == ["backend-api-blue"]


def test_a_chart_of_a_service_in_the_cluster_has_no_target_group_and_its_port() -> None:
    assert "TargetGroupBinding" not in {
        each["kind"] for each in bundled(service(**CLUSTER), chart_service(8000))
    }
    with pytest.raises(InvalidInput, match="no port of it leads to 8000"):
        bundled(service(**CLUSTER), chart_service(9000))
