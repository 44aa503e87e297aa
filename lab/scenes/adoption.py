"""Another company's world, before it knows of the control plane: what `candlefish init` reads and take-over moves.

In eu-central-1 two clusters, of `prod` and `prod-eu`. In prod five services of charts of `helm create`: two behind an
Ingress whose load balancer the controller made, one behind an internal one, one in the cluster, one worker. A Prometheus of
kube-prometheus-stack, a database, a cache, a budget, a hosted zone.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec

from candlefish.catalog.model import Environment
from lab.moto import ACCOUNT
from lab.scenes.ingress import binding, led_to, listening
from lab.scenes.move_in import Users
from lab.world import FIRST_VERSION, Ground, World

REGION, NAMESPACE, ZONE = "eu-central-1", "shop", "acme.example"
ADMIN, SECOND = "ada", "grace"
PORT, HEALTH = 8080, "/healthz"
# Service -> its host; which are behind an Ingress, and which of those behind an internal one.
HOSTS = {"shop": "shop.acme.example", "account": "account.acme.example", "admin": "admin.acme.example"}
INTERNAL = ("admin",)
SERVICES = (*HOSTS, "catalog", "mailer")
# What kube-prometheus-stack has among its names; each is one that the product or its guesses look for, or a neighbour.
METRICS = ("http_server_requests_seconds_count", "http_server_requests_seconds_bucket", "up", "kube_pod_info")
ALERTS = (
    "KubePodCrashLooping",
    "KubePodNotReady",
    "KubeDeploymentReplicasMismatch",
    "TargetDown",
    "Watchdog",
)
MONITORING, PROMETHEUS = "monitoring", "kube-prometheus-stack-prometheus"
# What the lab must know to have images and people; the company has no such thing.
KNOWN = {
    "services.yaml": "".join(
        f"{name}:\n  image: registry.acme.example/{name}\n  port: {PORT}\n  health_path: {HEALTH}\n"
        f"  host: {name}.acme.example\n  replicas: {{min: 2, max: 4}}\n"
        "  resources: {cpu: 100m, memory: 128Mi, cpu_limit: 200m, memory_limit: 256Mi}\n  owner: shop\n"
        for name in SERVICES
    ),
    "people.yaml": "".join(f"{name}: {{aws: [user/{name}], approver: true}}\n" for name in (ADMIN, SECOND)),
    "policies.yaml": "default: {}\n",
    "strategies.yaml": "rolling: {kind: rolling, steps: [{bake: {at_most: 1m, unclear: go_on}}]}\n",
    "environments/none.yaml": (
        f'account: "{ACCOUNT}"\nregion: {REGION}\nrecovery_region: eu-west-1\ncluster: none\nnamespace: none\n'
        "strategy: rolling\ncost: {low: 0, high: 1}\n"
    ),
}


def write_known(folder: Path) -> Path:
    """The lab's own catalog, in a folder."""
    for name, text in KNOWN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


class Old(msgspec.Struct, frozen=True):
    """What the controller made of an Ingress: where its load balancer listens, and what DNS calls it."""

    port: int
    dns: str


def furnish(world: World) -> tuple[Ground, Old]:
    """Make the world; the ground of prod, and its load balancer of before."""
    ground = _ground(world, "acme-prod", "acme-prod", 20)
    there = _ground(world, "acme-prod-eu", "acme-prod-eu", 21)
    there.cluster.apply(
        [
            *chart("shop", world.image("shop", FIRST_VERSION)),
            _ingress({"shop": "shop.eu.acme.example"}, "internal"),
        ],
        namespace=NAMESPACE,
    )
    clients = world.clients(REGION)
    old = _behind_ingress(world, ground, [name for name in HOSTS if name not in INTERNAL], "internet-facing")
    _behind_ingress(world, ground, list(INTERNAL), "internal")
    for name in SERVICES:
        ground.cluster.apply(chart(name, world.image(name, FIRST_VERSION)), namespace=NAMESPACE)
    _prometheus(ground)
    clients("rds").create_db_instance(
        DBInstanceIdentifier="acme-prod",
        Engine="postgres",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        MasterUsername="acme",
        MasterUserPassword="not-a-secret-here",
        MultiAZ=True,
    )
    clients("budgets").create_budget(
        AccountId=ACCOUNT,
        Budget={
            "BudgetName": "acme-prod",
            "BudgetLimit": {"Amount": "1200", "Unit": "USD"},
            "TimeUnit": "MONTHLY",
            "BudgetType": "COST",
        },
    )
    _zone(clients("route53"), old.dns)
    return ground, old


def _ground(world: World, name: str, cluster: str, number: int) -> Ground:
    like = msgspec.structs.replace(next(iter(world.catalog.environments.values())), cluster=cluster)
    environment: Environment = msgspec.structs.replace(like, name=name, namespace=NAMESPACE)
    return world.make_ground(
        name,
        number,
        namespaces=(NAMESPACE, MONITORING),
        creator=ADMIN,
        environment=environment,
        private=True,
    )


def chart(name: str, image: str) -> list[dict[str, Any]]:
    """What a chart of `helm create` makes, by its own labels; a worker has no Service."""
    own = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}
    labels = {
        **own,
        "helm.sh/chart": f"{name}-0.1.0",
        "app.kubernetes.io/version": FIRST_VERSION,
        "app.kubernetes.io/managed-by": "Helm",
        "team": "shop",
    }
    container: dict[str, Any] = {
        "name": name,
        "image": image.replace("@", f":{FIRST_VERSION}@"),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": HEALTH, "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": HEALTH, "port": "http"}},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "200m", "memory": "256Mi"},
        },
        "env": [{"name": "CATALOG_URL", "value": "http://catalog:80"}] if name == "shop" else [],
    }
    metadata = {"name": name, "labels": labels}
    pods = {
        "metadata": {"labels": labels},
        "spec": {"serviceAccountName": name, "containers": [container]},
    }
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 2, "selector": {"matchLabels": own}, "template": pods},
        },
    ]
    if name != "mailer":
        ports = [{"port": 80, "targetPort": "http", "name": "http"}]
        spec = {"selector": own, "ports": ports}
        made.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    return made


def _behind_ingress(world: World, ground: Ground, names: list[str], scheme: str) -> Old:
    """An Ingress, and what the controller makes of it: a load balancer, target groups, rules, bindings."""
    elbv2 = world.clients(REGION)("elbv2")
    stack = f"{NAMESPACE}/{names[0]}"
    marks = [
        {"Key": "elbv2.k8s.aws/cluster", "Value": "acme-prod"},
        {"Key": "ingress.k8s.aws/stack", "Value": stack},
    ]
    balancer, listener = listening(
        elbv2, f"k8s-shop-{names[0]}-0a1b2c3d4e", list(ground.network.subnets), Scheme=scheme, Tags=marks
    )
    for priority, name in enumerate(names, start=1):
        called = f"k8s-shop-{name}-5f6a7b8c9d"
        group = {
            "Name": called,
            "Port": 80,
            "VpcId": ground.network.vpc,
            "HealthCheckPath": HEALTH,
        }
        made = led_to(elbv2, listener, HOSTS[name], group, Priority=priority, Tags=marks)
        ground.cluster.apply([binding(called, name, "http", made)], namespace=NAMESPACE)
    ingress = _ingress({name: HOSTS[name] for name in names}, scheme)
    ground.cluster.apply([ingress], namespace=NAMESPACE)
    port = world.traffic.listen(listener)
    found = elbv2.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]
    return Old(port, found["DNSName"])


def _ingress(hosts: dict[str, str], scheme: str) -> dict[str, Any]:
    """An Ingress of the Load Balancer Controller, with a host for each Service."""
    rules = [
        {
            "host": host,
            "http": {
                "paths": [
                    {
                        "path": "/",
                        "pathType": "Prefix",
                        "backend": {"service": {"name": name, "port": {"number": 80}}},
                    }
                ]
            },
        }
        for name, host in hosts.items()
    ]
    annotations = {
        "alb.ingress.kubernetes.io/scheme": scheme,
        "alb.ingress.kubernetes.io/target-type": "ip",
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": next(iter(hosts)), "annotations": annotations},
        "spec": {"ingressClassName": "alb", "rules": rules},
    }


def _prometheus(ground: Ground) -> None:
    """The Service of kube-prometheus-stack's Prometheus, and what it says of its metrics and rules."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PROMETHEUS, "labels": {"app": PROMETHEUS}},
        "spec": {"selector": {"app.kubernetes.io/name": "prometheus"}, "ports": [{"port": 9090}]},
    }
    ground.cluster.apply([service], namespace=MONITORING)
    rules = {"groups": [{"name": "kubernetes-apps", "rules": [{"name": name} for name in ALERTS]}]}
    answers: dict[str, Any] = {
        "/api/v1/label/__name__/values": {"status": "success", "data": list(METRICS)},
        "/api/v1/rules": {"status": "success", "data": rules},
    }
    ground.cluster.writes.behind[f"{MONITORING}/{PROMETHEUS}:9090"] = answers.__getitem__


def _zone(route53: Any, dns: str) -> None:
    made = route53.create_hosted_zone(Name=ZONE, CallerReference="acme")["HostedZone"]["Id"]
    alias = {"HostedZoneId": "Z215JYRZR1TBD5", "DNSName": dns, "EvaluateTargetHealth": False}
    changes = [
        {"Action": "CREATE", "ResourceRecordSet": {"Name": host, "Type": "A", "AliasTarget": alias}}
        for name, host in HOSTS.items()
        if name not in INTERNAL
    ]
    route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": changes})


class Resolvers:
    """Users who go where DNS says, by the weights of a host's records. They follow a change within moments."""

    def __init__(self, world: World, host: str, old: Old) -> None:
        self._world, self._host, self._old = world, host, old
        self._users = Users(host, old.port, 0)
        self._share, self._stopping = -1, threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._follow, name="resolvers", daemon=True)
        self._thread.start()

    def stop(self) -> Users:
        """Let all of them end what they asked."""
        self._stopping.set()
        self._thread.join()
        self._users.leave()
        return self._users

    def _follow(self) -> None:
        while not self._stopping.wait(0.2):
            self._look()

    def _look(self) -> None:
        route53 = self._world.clients(REGION)("route53")
        (zone,) = route53.list_hosted_zones()["HostedZones"]
        found = [
            each
            for each in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
            if each["Name"].rstrip(".") == self._host and each["Type"] == "A"
        ]
        new = [each for each in found if each["AliasTarget"]["DNSName"].rstrip(".") != self._old.dns]
        share = int(new[0].get("Weight", 100)) if new else 0
        if share == self._share:
            return
        if share:
            self._users.lead_to(self._port(new[0]["AliasTarget"]["DNSName"].rstrip(".")))
        self._share = share
        self._users.share(share)

    def _port(self, dns: str) -> int:
        elbv2 = self._world.clients(REGION)("elbv2")
        for each in elbv2.describe_load_balancers()["LoadBalancers"]:
            if each["DNSName"] == dns:
                (listener,) = elbv2.describe_listeners(LoadBalancerArn=each["LoadBalancerArn"])["Listeners"]
                return self._world.traffic.ports[listener["ListenerArn"]]
        raise LookupError(f"nothing answers at {dns}")
