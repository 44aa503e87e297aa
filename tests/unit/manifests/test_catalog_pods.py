"""What the catalog says of Pods, on its own path and on a chart's: who they are, what scales them, whom they reach."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from candlefish.catalog.model import (
    Autoscale,
    Egress,
    ExternalMetric,
    Ingress,
    PodsMetric,
    Prometheus,
    RunAs,
    Secret,
    SecretStore,
    Service,
)
from candlefish.errors import InvalidInput
from candlefish.label_selectors import selects
from candlefish.release.manifests import Workload, from_bundle, render
from candlefish.release.manifests.network import NAMESPACE_NAME
from candlefish.release.model import Manifest
from candlefish.release.workload import role_of
from tests.support.manifests import REPOSITORY, environment, service, workload

LIMITS = {"limits": {"cpu": "1", "memory": "64Mi"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "backend-api"},
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "web", "image": f"{REPOSITORY}:1", "resources": LIMITS}]}
        }
    },
}


def by_kind(objects: tuple[Manifest, ...]) -> dict[str, Manifest]:
    return {each["kind"]: each for each in objects}


def both(made: Workload) -> list[dict[str, Manifest]]:
    """The slot from the catalog, and from a chart that says nothing."""
    return [by_kind(render(made)), by_kind(from_bundle([json.loads(json.dumps(DEPLOYMENT))], made))]


def pod_of(objects: dict[str, Manifest]) -> Any:
    return objects["Deployment"]["spec"]["template"]["spec"]


def test_user_account_annotations_and_metrics_arrive_on_both_paths() -> None:
    served = service(
        run_as=RunAs(user=1000, group=2000, fs_group=3000),
        service_account="workers",
        annotations={"sidecar.istio.io/inject": "false"},
        prometheus=Prometheus(port=9090),
    )
    for objects in both(workload(service=served)):
        context = pod_of(objects)["securityContext"]
        assert [context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [1000, 2000, 3000]
        assert pod_of(objects)["serviceAccountName"] == "workers"
        assert "ServiceAccount" not in objects
        notes = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        assert notes["sidecar.istio.io/inject"] == "false"
        assert (notes["prometheus.io/scrape"], notes["prometheus.io/port"]) == ("true", "9090")
        ports = [port["containerPort"] for port in pod_of(objects)["containers"][0]["ports"]]
        assert ports == [8000, 9090]


def test_several_metrics_move_the_autoscaler() -> None:
    wanted = Autoscale(
        cpu=60,
        memory=80,
        pods=(PodsMetric(metric="requests_per_second", average="100"),),
        external=(ExternalMetric(metric="queue_length", average="30", labels={"queue": "orders"}),),
    )
    for objects in both(workload(service=service(autoscale=wanted))):
        metrics = objects["HorizontalPodAutoscaler"]["spec"]["metrics"]
        assert [each["type"] for each in metrics] == ["Resource", "Resource", "Pods", "External"]
        assert metrics[3]["external"] == {
            "metric": {"name": "queue_length", "selector": {"matchLabels": {"queue": "orders"}}},
            "target": {"type": "AverageValue", "averageValue": "30"},
        }


def test_without_a_word_cpu_alone_moves_it() -> None:
    (metric,) = by_kind(render(workload()))["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}


@pytest.mark.parametrize(
    ("served", "how", "role"),
    [
        (service(), "role", ""),
        (service(secrets=(Secret(name="a", env="A"),)), "role", "candlefish-production-backend-api"),
        (service(secrets=(Secret(name="a", env="A"),)), "csi", "candlefish-production-backend-api"),
        (service(secrets=(Secret(name="a", env="A"),)), "external-secrets", ""),
        (service(role="shop/api"), "external-secrets", "shop/api"),
    ],
)
def test_who_reads_secrets_itself_has_a_role(served: Service, how: str, role: str) -> None:
    found = role_of(served, environment(secrets_by=how))
    assert found == (f"arn:aws:iam::123456789012:role/{role}" if role else "")


def test_a_role_by_its_arn_is_that_one() -> None:
    arn = "arn:aws:iam::999999999999:role/theirs"
    assert role_of(service(role=arn), environment()) == arn


# --- who may connect -------------------------------------------------------------------------


def lets_in(
    policy: Manifest, port: int, *, address: str = "", labels: Any = None, namespace: str = ""
) -> bool:
    """Whether a network policy lets a connection to a port in: from an address, or from a Pod with labels."""
    return any(
        port in [each["port"] for each in rule["ports"]]
        and ("from" not in rule or any(_is(peer, address, labels, namespace) for peer in rule["from"]))
        for rule in policy["spec"]["ingress"]
    )


def _is(peer: Manifest, address: str, labels: Any, namespace: str) -> bool:
    if "ipBlock" in peer:
        return bool(address) and ipaddress.ip_address(address) in ipaddress.ip_network(
            peer["ipBlock"]["cidr"]
        )
    if labels is None:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {NAMESPACE_NAME: namespace or "example-prod"}):
            return False
    elif namespace:
        return False
    return selects(peer.get("podSelector", {}), labels)


CALLER = {"candlefish.ai/service": "website", "candlefish.ai/slot": "blue"}
STRANGER = {"app": "stranger"}


def test_only_the_load_balancers_networks_and_named_callers_come_in() -> None:
    served = service(ingress=(Ingress(source="namespace/monitoring"),))
    made = workload(
        service=served, environment=environment(ingress_cidrs=("10.30.0.0/16",)), callers=("website",)
    )
    for objects in both(made):
        policy = objects["NetworkPolicy"]
        assert lets_in(policy, 8000, address="10.30.4.5")
        assert not lets_in(policy, 8000, address="10.31.0.1")
        assert lets_in(policy, 8000, labels=CALLER)
        assert not lets_in(policy, 8000, labels=STRANGER)
        assert lets_in(policy, 8000, labels=STRANGER, namespace="monitoring")
        assert not lets_in(policy, 8001, address="10.30.4.5")


def test_without_networks_or_without_knowing_the_callers_everybody_comes_in_as_before() -> None:
    for made in (
        workload(callers=()),
        workload(environment=environment(ingress_cidrs=("10.30.0.0/16",)), callers=None),
    ):
        assert lets_in(by_kind(render(made))["NetworkPolicy"], 8000, address="203.0.113.1")


def test_metrics_on_a_port_of_their_own_are_for_pods_of_the_cluster() -> None:
    served = service(prometheus=Prometheus(port=9090))
    policy = by_kind(render(workload(service=served)))["NetworkPolicy"]
    assert lets_in(policy, 9090, labels=STRANGER, namespace="monitoring")
    assert not lets_in(policy, 9090, address="203.0.113.1")


def test_what_the_catalog_opens_is_open_beside_a_charts_own_policy() -> None:
    served = service(
        egress=(
            Egress(to="namespace/otel", ports=(4317,)),
            Egress(to="10.9.0.0/24", ports=(25,), protocol="tcp"),
        )
    )
    chart = json.loads(json.dumps([DEPLOYMENT]))
    chart.append(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "x"},
            "spec": {"podSelector": {}, "egress": [{"ports": [{"port": 443}]}]},
        }
    )
    for objects in (by_kind(from_bundle(chart, workload(service=served))), *both(workload(service=served))):
        rules = objects["NetworkPolicy"]["spec"]["egress"]
        opened = {(port["port"], json.dumps(rule.get("to"))) for rule in rules for port in rule["ports"]}
        monitoring = [{"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "otel"}}}]
        assert (4317, json.dumps(monitoring)) in opened
        assert (25, json.dumps([{"ipBlock": {"cidr": "10.9.0.0/24"}}])) in opened


# --- secrets by value ------------------------------------------------------------------------

SECRETS = (Secret(name="shop/db", env="URL", key="url"), Secret(name="shop/db", env="ODD", key="a-b"))
STORE = SecretStore("aws")


def test_values_come_by_external_secrets_and_never_stand_in_an_object() -> None:
    made = workload(
        service=service(secrets=SECRETS),
        environment=environment(secrets_by="external-secrets", secret_store=STORE),
    )
    for objects in both(made):
        spec = objects["ExternalSecret"]["spec"]
        assert spec["secretStoreRef"] == {"name": "aws", "kind": "ClusterSecretStore"}
        assert spec["data"][0] == {"secretKey": "URL", "remoteRef": {"key": "shop/db", "property": "url"}}
        env = {each["name"]: each for each in pod_of(objects)["containers"][0]["env"]}
        assert env["URL"]["valueFrom"]["secretKeyRef"] == {"name": "backend-api-blue-secrets", "key": "URL"}


def test_the_csi_driver_gets_each_secret_once_with_a_path_for_each_key() -> None:
    env = environment(secrets_by="csi", identity_by="pod-identity")
    for objects in both(workload(service=service(secrets=SECRETS), environment=env, role="arn:x")):
        spec = objects["SecretProviderClass"]["spec"]
        (entry,) = json.loads(spec["parameters"]["objects"])
        assert entry["jmesPath"] == [
            {"path": "url", "objectAlias": "URL"},
            {"path": '"a-b"', "objectAlias": "ODD"},
        ]
        assert spec["parameters"]["usePodIdentity"] == "true"
        volume = next(each for each in pod_of(objects)["volumes"] if "csi" in each)
        assert volume["csi"]["volumeAttributes"] == {"secretProviderClass": "backend-api-blue-secrets"}
        assert volume["name"] in [each["name"] for each in pod_of(objects)["containers"][0]["volumeMounts"]]
        # An association of EKS's, not the account's annotation, leads to the role.
        assert "arn:x" not in json.dumps(objects["ServiceAccount"])


def brought(name: str, remote: str, store: str = "aws") -> Manifest:
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": name},
        "spec": {
            "secretStoreRef": {"name": store, "kind": "ClusterSecretStore"},
            "dataFrom": [{"extract": {"key": remote}}],
        },
    }


def with_secret(secret: Manifest) -> list[Manifest]:
    chart = json.loads(json.dumps([DEPLOYMENT]))
    chart[0]["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"secretRef": {"name": secret["metadata"]["name"]}}
    ]
    return [*chart, secret]


def test_a_charts_own_external_secret_keeps_a_secret_of_the_slots() -> None:
    made = workload(
        service=service(secrets=SECRETS),
        environment=environment(secrets_by="external-secrets", secret_store=STORE),
    )
    objects = from_bundle(with_secret(brought("backend-api-db", "shop/db")), made)
    own = next(e for e in objects if e["metadata"]["name"] == "backend-api-db-blue")
    assert own["spec"]["target"] == {"creationPolicy": "Owner", "name": "backend-api-db-blue"}
    container = pod_of(by_kind(objects))["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "backend-api-db-blue"}}]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (brought("backend-api-db", "shop/others"), "one of the service's `secrets` in the catalog"),
        (brought("backend-api-db", "shop/db", store="admin"), "the environment's `secret_store`"),
        (brought("website-db", "shop/db"), r"secretRef\.name is .website-db."),
    ],
)
def test_a_charts_external_secret_reads_nobody_elses(secret: Manifest, why: str) -> None:
    made = workload(
        service=service(secrets=SECRETS),
        environment=environment(secrets_by="external-secrets", secret_store=STORE),
        services=("website", "backend-api"),
    )
    with pytest.raises(InvalidInput, match=why):
        from_bundle(with_secret(secret), made)


# --- charts ----------------------------------------------------------------------------------


def chart_pod(made: Workload, **pod: Any) -> Any:
    chart = json.loads(json.dumps([DEPLOYMENT]))
    container = {**chart[0]["spec"]["template"]["spec"]["containers"][0], **pod.pop("container", {})}
    chart[0]["spec"]["template"]["spec"] = {"containers": [container], **pod}
    return pod_of(by_kind(from_bundle(chart, made)))


def test_a_charts_user_without_a_group_gets_the_group_of_that_number() -> None:
    for said in (
        {"securityContext": {"runAsUser": 101}},
        {"container": {"securityContext": {"runAsUser": 101}}},
    ):
        context = chart_pod(workload(), **said)["securityContext"]
        assert (context["runAsGroup"], context["fsGroup"]) == (101, 101)


def test_the_catalogs_variables_win_and_come_first_and_the_slot_cannot_be_overridden() -> None:
    made = workload(service=service(env={"LEVEL": "info"}))
    said = [
        {"name": "LEVEL", "value": "debug"},
        {"name": "CANDLEFISH_SLOT", "value": "green"},
        {"name": "OWN", "value": "$(LEVEL)"},
    ]
    env = chart_pod(made, container={"env": said})["containers"][0]["env"]
    values = {each["name"]: each["value"] for each in env}
    assert (values["LEVEL"], values["CANDLEFISH_SLOT"], values["OWN"]) == ("info", "blue", "$(LEVEL)")
    assert [each["name"] for each in env].index("LEVEL") < [each["name"] for each in env].index("OWN")
    assert len(values) == len(env)


def test_outside_production_spot_is_preferred_beside_a_charts_own_affinity() -> None:
    arch = {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 10,
                    "preference": {
                        "matchExpressions": [
                            {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}
                        ]
                    },
                }
            ]
        }
    }
    pod = chart_pod(workload(environment=environment(production=False)), affinity=arch)
    preferred = pod["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [each["weight"] for each in preferred] == [10, 100]
    assert pod["tolerations"][0]["value"] == "SPOT"


@pytest.mark.parametrize(
    ("hook", "kept", "grace"),
    [
        ({"exec": {"command": ["sleep", "5"]}}, {"sleep": {"seconds": 30}}, 60),
        ({"sleep": {"seconds": 90}}, {"sleep": {"seconds": 90}}, 120),
        ({"exec": {"command": ["/drain"]}}, {"exec": {"command": ["/drain"]}}, 60),
    ],
)
def test_a_charts_hook_that_only_sleeps_sleeps_long_enough(hook: Any, kept: Any, grace: int) -> None:
    pod = chart_pod(workload(), container={"lifecycle": {"preStop": hook}})
    assert pod["containers"][0]["lifecycle"]["preStop"] == kept
    assert pod["terminationGracePeriodSeconds"] == grace


def test_directories_of_the_catalog_are_writable_where_the_chart_mounts_nothing() -> None:
    made = workload(service=service(writable_paths=("/tmp", "/cache")))
    mounts = [{"name": "writable-0", "mountPath": "/cache"}]
    pod = chart_pod(
        made, container={"volumeMounts": mounts}, volumes=[{"name": "writable-0", "emptyDir": {}}]
    )
    (container,) = pod["containers"]
    assert sorted(each["mountPath"] for each in container["volumeMounts"]) == ["/cache", "/tmp"]
    names = [each["name"] for each in pod["volumes"]]
    assert len(set(names)) == len(names)


def test_a_docker_hub_image_is_the_same_by_its_short_name() -> None:
    made = workload(service=service(image="docker.io/library/nginx"))
    chart = json.loads(json.dumps([DEPLOYMENT]))
    chart[0]["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.16.0"
    assert pod_of(by_kind(from_bundle(chart, made)))["containers"][0]["image"] == made.image
