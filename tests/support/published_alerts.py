"""The published alerts with labels as exporters give them: about something else in the cluster, and about ours.

Names, severities and the labels that an expression keeps are those of published_alerts.tsv. What the labels are where the
file says nothing is a table of ours, by what exports the metric.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from candlefish.catalog.model import Environment
from candlefish.catalog.read import effective
from tests.support.catalogs import catalog

LIST = Path(__file__).with_name("published_alerts.tsv")
Labels = dict[str, str]


class Case(NamedTuple):
    """One alert as its rule writes it. `ours`: it is about something of the catalog."""

    alert: str
    severity: str
    ours: bool
    labels: Labels

    @property
    def key(self) -> frozenset[tuple[str, str]]:
        """What Prometheus sends of it, whoever delivers it."""
        return frozenset(self.labels.items())


_KSM = {"job": "kube-state-metrics", "instance": "10.0.0.9:8080"}
_EXPORTER = {"namespace": "monitoring", "job": "node-exporter", "pod": "kps-prometheus-node-exporter-4x7kq"}
_NODE = {**_EXPORTER, "service": "kps-prometheus-node-exporter", "instance": "10.0.1.7:9100"}
_KUBELET = {"namespace": "kube-system", "job": "kubelet", "node": "node-1", "instance": "10.0.1.7:10250"}
_MONITORING = {"namespace": "monitoring", "pod": "prometheus-kps-0", "service": "kps-prometheus"}
_API = {"namespace": "default", "job": "apiserver", "service": "kubernetes", "instance": "10.0.0.1:443"}
_ISTIO = {"destination_workload": "invoices", "destination_workload_namespace": "shop"}
_POD = {**_KSM, "namespace": "shop", "pod": "invoices-7d4b9c8f6d-x2x4k", "container": "invoices"}
_OUR_POD = {**_KSM, "namespace": "{namespace}", "pod": "{service}-blue-7d4b9c8f6d-x2x4k", "container": "web"}


def _object(label: str, name: str = "invoices") -> Labels:
    return {**_KSM, "namespace": "shop", label: name}


def _slot(label: str) -> Labels:
    return {**_KSM, "namespace": "{namespace}", label: "{service}-blue"}


# What an alert's labels are, by its name: about something else, and about something of the catalog, where it can be.
KINDS: tuple[tuple[str, Labels, Labels], ...] = (
    ("Watchdog", {}, {}),
    ("InfoInhibitor", {"namespace": "shop"}, {}),
    ("NodeFilesystem.+", {**_NODE, "device": "/dev/nvme1n1", "mountpoint": "/data"}, {}),
    ("NodeRAID.+", {**_NODE, "device": "md0"}, {}),
    ("NodeNetwork.+|NodeDisk.+", {**_NODE, "device": "nvme1n1"}, {}),
    ("HostOutOf.+|Host.+(Disk|Inodes|Filesystem).*", {**_NODE, "device": "nvme1n1", "mountpoint": "/"}, {}),
    ("(Node|Host).+", _NODE, {}),
    (".*(StatefulSet).*", _object("statefulset"), {}),
    (".*(DaemonSet).*", _object("daemonset", "log-shipper"), {}),
    (".*CronJob.*", _object("cronjob", "report"), {}),
    ("(Kube|Kubernetes)Job.*", _object("job_name", "report-29384756"), {}),
    (".*(Hpa|HPA).*", _object("horizontalpodautoscaler"), _slot("horizontalpodautoscaler")),
    (".*(Pdb|PodDisruptionBudget).*", _object("poddisruptionbudget"), _slot("poddisruptionbudget")),
    (".*Deployment.*", _object("deployment"), _slot("deployment")),
    (".*ReplicaSet.*", _object("replicaset", "invoices-7d4b9c8f6d"), {**_slot("replicaset"), "replicaset": "{service}-blue-7d4b9c8f6d"}),
    (".*(Volume).*", _object("persistentvolumeclaim", "data-invoices-0"), {}),
    ("KubeQuota.+|KubernetesResourceQuota.+", {**_object("resourcequota", "shop"), "resource": "limits.cpu"}, {}),
    ("Kube(CPU|Memory).*Overcommit", {**_KSM, "node": "node-1"}, {}),
    ("KubePod.+|KubeContainer.+|KubernetesPod.+|KubernetesContainer.+|CPUThrottlingHigh|Container.+", _POD, _OUR_POD),
    ("KubeNode.+|KubernetesNode.+|Kubelet.+", _KUBELET, {}),
    ("KubeAPI.+|KubeClient.+|KubeAggregated.+|KubernetesAPI.+|KubernetesClient.+|Kube(rnetes)?Version.+", _API, {}),
    ("KubeScheduler.+|KubeController.+", {"job": "kube-scheduler", "instance": "10.0.0.2:10259"}, {}),
    ("Kube(rnetesKube)?State.+", _KSM, {}),
    ("Alertmanager.+", {**_MONITORING, "pod": "alertmanager-kps-0", "service": "kps-alertmanager", "integration": "slack"}, {}),
    ("Prometheus.+|ConfigReloader.+|Grafana.+", {**_MONITORING, "job": "kps-prometheus"}, {}),
    ("TargetDown", {"namespace": "shop", "job": "invoices", "service": "invoices"}, {"namespace": "{namespace}", "job": "{service}"}),
    ("Blackbox.+", {"job": "blackbox", "instance": "https://shop.example/health"}, {"job": "blackbox", "instance": "https://{host}/health"}),
    ("Nginx.+", {"job": "nginx", "host": "shop.example", "node": "web-1"}, {"job": "nginx", "host": "{host}", "node": "web-1"}),
    (
        "Postgresql.+",
        {"job": "postgres-exporter", "instance": "10.0.3.4:9187", "server": "10.0.3.9:5432", "datname": "orders"},
        {
            "job": "postgres-exporter",
            "instance": "{database}.abc.us-west-2.rds.amazonaws.com:5432",
            "server": "{database}.abc.us-west-2.rds.amazonaws.com:5432",
            "datname": "orders",
        },
    ),
    (
        "Redis.+",
        {"job": "redis-exporter", "instance": "redis://10.0.3.5:6379"},
        {"job": "redis-exporter", "instance": "rediss://master.{cache}.abc.usw2.cache.amazonaws.com:6379"},
    ),
    (
        "Istio(High|Low|Latency).*",
        {**_ISTIO, "destination_canonical_service": "invoices"},
        {
            "destination_workload": "{service}-blue",
            "destination_workload_namespace": "{namespace}",
            "destination_canonical_service": "{service}",
        },
    ),
    ("Istio.+", {"namespace": "istio-system", "job": "istiod", "pod": "istiod-7d4b9c8f6d-x2x4k"}, {}),
    ("ArgoCD.+", {"namespace": "argocd", "job": "argocd-metrics", "pod": "argocd-0", "name": "invoices", "project": "shop"}, {}),
)  # fmt: skip


def cases(environment: str, service: str) -> Iterator[Case]:
    """Every published alert once for each severity: about something else, and about ours where its labels can say so."""
    env = catalog().environment(environment)
    names = _names(env, service)
    lines = {(line["alert"], line["severity"]): line["labels_in_expression"] for line in _lines()}
    for (alert, severity), kept in lines.items():
        elsewhere, ours = next(
            (other, mine) for pattern, other, mine in KINDS if re.fullmatch(pattern, alert)
        )
        seen: set[frozenset[tuple[str, str]]] = set()
        for about, labels in ((False, elsewhere), (True, ours)):
            if about and not labels:
                continue
            filled = {label: value.format_map(names) for label, value in labels.items()}
            said = {"alertname": alert, "severity": severity, "environment": environment}
            case = Case(alert, severity, about, {**_kept(filled, kept), **said})
            # What the expression keeps may not say whose it is.
            if case.key not in seen:
                yield case
            seen.add(case.key)


def _lines() -> list[dict[str, str]]:
    with LIST.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def _kept(labels: Labels, kept: str) -> Labels:
    """The labels that the expression keeps, where the list says which; one that the table has not gets a value."""
    names = kept.split(",") if kept else list(labels)
    return {name: labels.get(name, f"{name}-1") for name in names if name != "environment"}


def _names(env: Environment, service: str) -> Labels:
    return {
        "service": service,
        "namespace": env.namespace,
        "host": effective(catalog().services[service], env).host,
        "database": env.databases[0].identifier,
        "cache": env.caches[0].replication_group,
    }
