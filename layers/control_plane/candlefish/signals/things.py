"""What an alert is about that is no service, database or cache: its name, and the labels that identify a thing.

Few labels do. Those of the exporter (`instance`, `job` of kube-state-metrics) change while the thing stays the same, and
a Pod has a new name each time: so a workload is known by its namespace and its owner's name, a node by its own, and only
what has neither by where Prometheus scraped it. An exporter's own Pod is what its alerts are about least of all: that of
node-exporter is called alike on every node, and what differs is where it was scraped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from candlefish.bounds import fit_line

# Of the whole subject, which is part of keys, in characters.
LONGEST = 240
_WHOLE = re.compile("(.+)")
# <Deployment>-<ReplicaSet>-<Pod>, <StatefulSet>-<number>, <DaemonSet or Job>-<Pod>.
_POD = re.compile(r"(.+?)(?:-[a-z0-9]{5,10}-[a-z0-9]{5}|-\d{1,4}|-[a-z0-9]{5})?")
# Labels that name an object of a cluster, most telling first, and what of their value outlives one Pod or Job.
OWNERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("deployment", _WHOLE),
    ("statefulset", _WHOLE),
    ("daemonset", _WHOLE),
    ("cronjob", _WHOLE),
    # A CronJob's Jobs end in the minute that they are of.
    ("job_name", re.compile(r"(.+?)(?:-\d{6,})?")),
    ("horizontalpodautoscaler", _WHOLE),
    ("poddisruptionbudget", _WHOLE),
    ("persistentvolumeclaim", _WHOLE),
    ("persistentvolume", _WHOLE),
    ("resourcequota", _WHOLE),
    ("replicaset", re.compile(r"(.+?)(?:-[a-z0-9]{5,10})?")),
    # Beside these `pod` is the ingress controller's or the proxy's.
    ("destination_workload", _WHOLE),
    ("destination_canonical_service", _WHOLE),
    ("ingress", _WHOLE),
    ("exported_service", _WHOLE),
    ("exported_pod", _POD),
    ("pod", _POD),
    ("kubernetes_pod_name", _POD),
)
NAMESPACES = (
    "exported_namespace",
    "destination_workload_namespace",
    "namespace",
    "kubernetes_namespace",
)
# What has no workload is where it was seen, and which part of it.
PLACES = (
    "namespace",
    "job",
    "service",
    "app",
    "target",
    "instance",
    "host",
    "server",
    "datname",
    "TargetGroup",
    "LoadBalancer",
    "QueueName",
    "FunctionName",
    "WebACL",
    "resource",
)
# Parts of a node or a place that fail one by one.
PARTS = (
    "host",
    "device",
    "mountpoint",
    "resource",
    "datname",
    "relname",
    "idxname",
    "repo",
    "controller",
    "name",
)
# Every label that a thing is told apart by.
READS = frozenset(
    [
        "alertname",
        "project",
        "node",
        "nodename",
        *NAMESPACES,
        *PLACES,
        *PARTS,
        *(label for label, _ in OWNERS),
    ]
)


def thing_of(labels: Mapping[str, str]) -> str:
    """The alert's name and what it is about: `KubePodNotReady shop/checkout`, `NodeRAIDDegraded node-1 device=md0`.

    Alerts with the same answer are about the same thing: cooldowns, mutes and messages go by it.
    """
    name = labels.get("alertname", "unnamed alert")
    return fit_line(" ".join(filter(None, (name, _place(labels)))), LONGEST)


def _place(labels: Mapping[str, str]) -> str:
    namespace = next((labels[each] for each in NAMESPACES if labels.get(each)), "")
    if labels.get("project") and labels.get("name"):
        # An application of Argo CD; the Pod is Argo CD's own.
        return f"{labels['project']}/{labels['name']}"
    exported = "exporter" in labels.get("job", "")
    for label, owner in OWNERS:
        if exported and owner is _POD:
            continue
        if match := owner.fullmatch(labels.get(label, "")):
            return "/".join(filter(None, (namespace, match[1])))
    if node := labels.get("node") or labels.get("nodename"):
        return " ".join((node, *_pairs(labels, PARTS)))
    return " ".join(_pairs(labels, dict.fromkeys((*PLACES, *PARTS))))


def _pairs(labels: Mapping[str, str], names: tuple[str, ...] | dict[str, None]) -> list[str]:
    return [f"{each}={labels[each]}" for each in names if labels.get(each)]
