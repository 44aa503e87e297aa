"""Another company's world, before it knows of the control plane: what `candlefish init` reads and take-over moves.

In eu-central-1 two clusters, of `prod` and `prod-eu`. In prod five services of charts of `helm create`: two behind an
Ingress whose load balancer the controller made, one behind an internal one, one in the cluster, one worker; in prod-eu the
shop. A Prometheus of kube-prometheus-stack, a database, a budget, a hosted zone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from candlefish.catalog.model import Environment
from lab.moto import ACCOUNT
from lab.scenes.clients import Old
from lab.scenes.ingress import binding, led_to, listening
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


def furnish(world: World) -> tuple[dict[str, Ground], Old]:
    """Make the world; the grounds of prod and prod-eu, and prod's load balancer of before."""
    ground = _ground(world, "acme-prod", "acme-prod", 20)
    there = _ground(world, "acme-prod-eu", "acme-prod-eu", 21)
    clients = world.clients(REGION)
    public = {name: host for name, host in HOSTS.items() if name not in INTERNAL}
    old = _behind_ingress(world, ground, public, "internet-facing")
    _behind_ingress(world, ground, {name: HOSTS[name] for name in INTERNAL}, "internal")
    _behind_ingress(world, there, {"shop": "shop.eu.acme.example"}, "internet-facing")
    there.cluster.apply(chart("shop", world.image("shop", FIRST_VERSION)), namespace=NAMESPACE)
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
    return {"prod": ground, "prod-eu": there}, old


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


def _behind_ingress(world: World, ground: Ground, hosts: dict[str, str], scheme: str) -> Old:
    """An Ingress, and what the controller makes of it: a load balancer, target groups, rules, bindings."""
    elbv2 = world.clients(REGION)("elbv2")
    first = next(iter(hosts))
    marks = [
        {"Key": "elbv2.k8s.aws/cluster", "Value": ground.name},
        {"Key": "ingress.k8s.aws/stack", "Value": f"{NAMESPACE}/{first}"},
    ]
    # What the controller puts behind its names tells clusters apart.
    mark = hashlib.sha256(ground.name.encode()).hexdigest()[:10]
    balancer, listener = listening(
        elbv2, f"k8s-shop-{first}-{mark}", list(ground.network.subnets), Scheme=scheme, Tags=marks
    )
    for priority, (name, host) in enumerate(hosts.items(), start=1):
        called = f"k8s-shop-{name}-{mark}"
        group = {
            "Name": called,
            "Port": 80,
            "VpcId": ground.network.vpc,
            "HealthCheckPath": HEALTH,
        }
        made = led_to(elbv2, listener, host, group, Priority=priority, Tags=marks)
        ground.cluster.apply([binding(called, name, "http", made)], namespace=NAMESPACE)
    ground.cluster.apply([_ingress(hosts, scheme)], namespace=NAMESPACE)
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
