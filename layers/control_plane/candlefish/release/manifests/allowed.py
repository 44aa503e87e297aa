"""The allow-list: for each kind of object, every field that a chart may set, and to what.

A field that is not here is refused with its path. docs/kubernetes.md shows the list (`python -m tools.bundle_page`),
docs/decisions/0017 says how it was drawn: nothing in it names another service's objects, the node, or
another controller, and nothing loosens what the catalog renders.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from candlefish.catalog.crontab import wrong_with
from candlefish.release.manifests.allowed_secrets import CSI_VOLUME, EXTERNAL_SECRET, PROVIDER_CLASS
from candlefish.release.manifests.reach import Reach
from candlefish.release.manifests.secrets import CLASS_API, EXTERNAL_API
from candlefish.release.manifests.shape import Allowed, Entries, Fields, Leaf, ListOf, Ours
from candlefish.release.manifests.values import (
    ACCOUNT,
    CONFIG_KEY,
    FILE_PATH,
    FLAG,
    NAME,
    OWN_CONFIG,
    OWN_NAME,
    PORT,
    PORT_NAME,
    PULL_SECRET,
    RELATIVE_PATH,
    is_label_value,
    is_network,
    matching,
    only,
    percent_or_number,
    quantity_up_to,
    text_up_to,
    whole,
)

# As long as a Pod may take to go, in seconds: a slot must be able to rest.
LONGEST_GRACE = 600
# As long as a release waits for a Job, in seconds.
LONGEST_JOB = 6 * 3600
LARGEST_USER = 2**31 - 1
_RELEASE = Ours("the release's stands")
_QUALIFIED = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

# --- metadata

_NOBODYS = "others' controllers act on theirs; leave it out of the chart"
_LABEL_KEY = matching(
    rf"(?:app\.kubernetes\.io/|helm\.sh/)?{_QUALIFIED}",
    "one without a prefix, of app.kubernetes.io/ or of helm.sh/",
    why=_NOBODYS,
)
_LABEL_VALUE = Leaf(
    "a label value that is not another service's name",
    lambda value, reach: is_label_value(value) and not reach.foreign(value.lower()),
    "Services, policies and monitoring select by it",
)
_NOTE_PREFIXES = ("app.kubernetes.io", "checksum", "helm.sh", "meta.helm.sh", "prometheus.io")
_NOTE_KEY = matching(
    rf"(?:(?:{'|'.join(map(re.escape, _NOTE_PREFIXES))})/)?{_QUALIFIED}"
    r"|kubernetes[.]io/(?:change-cause|description)|kubectl[.]kubernetes[.]io/default-container",
    "one without a prefix, or of app.kubernetes.io/, checksum/, helm.sh/, meta.helm.sh/ or prometheus.io/",
    why=_NOBODYS,
)
_NOTE = text_up_to(16 * 1024)
_TAGS: dict[str, Allowed] = {
    "labels": Entries(_LABEL_KEY, _LABEL_VALUE, 40),
    "annotations": Entries(_NOTE_KEY, _NOTE, 40),
}
_OWNED = "garbage collection would act on it; leave it out of the chart"
METADATA = Fields(
    {"name": NAME, "namespace": Ours("checked to be the environment's"), **_TAGS},
    needs=("name",),
    whys={
        "ownerReferences": _OWNED,
        "finalizers": _OWNED,
        "generateName": "it would be a new object every time; give it a name",
    },
)
_POD_METADATA = Fields(
    {"name": Ours("Kubernetes names Pods"), "namespace": Ours("the environment's stands"), **_TAGS}
)

_SELECTOR = Fields(
    {
        "matchLabels": Entries(text_up_to(317), text_up_to(63), 10),
        "matchExpressions": ListOf(
            Fields(
                {
                    "key": text_up_to(317),
                    "operator": only("In", "NotIn", "Exists", "DoesNotExist"),
                    "values": ListOf(text_up_to(63), 20),
                },
                needs=("key", "operator"),
            ),
            10,
        ),
    },
    says="a label selector",
)

# --- volumes

_MODE = Leaf("a mode up to 0777", whole(0, 0o777).fits)
_ITEMS = ListOf(Fields({"key": CONFIG_KEY, "path": RELATIVE_PATH, "mode": _MODE}, needs=("key", "path")), 100)
_FIELD_REF = Fields(
    {
        "apiVersion": only("v1"),
        "fieldPath": matching(
            r"metadata\.(?:name|namespace|uid|labels|annotations)"
            rf"|metadata\.(?:labels|annotations)\['(?:[-a-z0-9.]{{1,253}}/)?{_QUALIFIED}'\]"
            r"|spec\.(?:nodeName|serviceAccountName)|status\.podIPs?",
            "the Pod's metadata, spec.nodeName, spec.serviceAccountName or status.podIP",
            most=330,
            why="the node's addresses are not a service's",
        ),
    },
    says="the Pod's metadata, spec.nodeName, spec.serviceAccountName or status.podIP",
    needs=("fieldPath",),
)
_RESOURCE_REF = Fields(
    {
        "containerName": text_up_to(63),
        "resource": matching(
            r"(?:limits|requests)\.(?:cpu|memory|ephemeral-storage)", "limits or requests of cpu or memory"
        ),
        "divisor": text_up_to(20),
    },
    says="limits or requests of a container",
    needs=("resource",),
)
_DOWNWARD_ITEMS = ListOf(
    Fields(
        {"path": RELATIVE_PATH, "mode": _MODE, "fieldRef": _FIELD_REF, "resourceFieldRef": _RESOURCE_REF},
        needs=("path",),
        one_of=("fieldRef", "resourceFieldRef"),
    ),
    50,
)
_SCRATCH = "keep large files in S3"
_EMPTY_DIR = Fields({"medium": only("", "Memory"), "sizeLimit": quantity_up_to("20Gi", _SCRATCH)})
_NODES_FILES = "it reaches the node or its network; use emptyDir, or a claim of the service's own"
_VOLUME_SOURCES: dict[str, Allowed] = {
    "emptyDir": _EMPTY_DIR,
    "configMap": Fields(
        {"name": OWN_CONFIG, "items": _ITEMS, "defaultMode": _MODE, "optional": FLAG}, needs=("name",)
    ),
    "secret": Fields(
        {"secretName": OWN_NAME, "items": _ITEMS, "defaultMode": _MODE, "optional": FLAG},
        needs=("secretName",),
    ),
    "downwardAPI": Fields({"items": _DOWNWARD_ITEMS, "defaultMode": _MODE}),
    "csi": CSI_VOLUME,
    "persistentVolumeClaim": Fields({"claimName": OWN_NAME, "readOnly": FLAG}, needs=("claimName",)),
    "projected": Fields(
        {
            "defaultMode": _MODE,
            "sources": ListOf(
                Fields(
                    {
                        "configMap": Fields(
                            {"name": OWN_CONFIG, "items": _ITEMS, "optional": FLAG}, needs=("name",)
                        ),
                        "secret": Fields(
                            {"name": OWN_NAME, "items": _ITEMS, "optional": FLAG}, needs=("name",)
                        ),
                        "downwardAPI": Fields({"items": _DOWNWARD_ITEMS}),
                    },
                    one_of=("configMap", "secret", "downwardAPI"),
                    whys={
                        "serviceAccountToken": "a token is another credential; "
                        "EKS projects the one of the service's role by itself"
                    },
                ),
                20,
            ),
        },
        needs=("sources",),
    ),
}
_VOLUME = Fields(
    {"name": matching("[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", "a DNS-1123 label"), **_VOLUME_SOURCES},
    needs=("name",),
    one_of=tuple(_VOLUME_SOURCES),
    whys=dict.fromkeys(
        ("hostPath", "flexVolume", "nfs", "iscsi", "awsElasticBlockStore", "ephemeral", "image"),
        _NODES_FILES,
    ),
)

# --- security

_USER = whole(1, LARGEST_USER, why="0 is root")
_SECCOMP = Fields({"type": only("RuntimeDefault")}, needs=("type",))
_SECURITY: dict[str, Allowed] = {
    "runAsNonRoot": only(True, why="Pod Security `restricted`"),
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "seccompProfile": _SECCOMP,
    "appArmorProfile": _SECCOMP,
}
_STRICTER = "a bundle may only make a Pod stricter; leave it out of the chart"
_LOOSER = dict.fromkeys(("seLinuxOptions", "windowsOptions"), _STRICTER)
_POD_SECURITY = Fields(
    {
        **_SECURITY,
        "fsGroup": _USER,
        "fsGroupChangePolicy": only("OnRootMismatch", "Always"),
        "supplementalGroups": ListOf(_USER, 16),
        "sysctls": ListOf(
            Fields(
                {
                    "name": only("net.ipv4.ip_unprivileged_port_start"),
                    "value": matching("[0-9]{1,5}", "a port, as text", most=5),
                },
                needs=("name", "value"),
            ),
            1,
        ),
    },
    whys=_LOOSER,
)
_CONTAINER_SECURITY = Fields(
    {
        **_SECURITY,
        "allowPrivilegeEscalation": only(False),
        "privileged": only(False),
        "readOnlyRootFilesystem": only(True, why="mount an emptyDir where it writes"),
        "procMount": only("Default"),
        "capabilities": Fields(
            {
                "drop": Leaf("[ALL]", lambda value, _: value == ["ALL"], "Pod Security `restricted`"),
                "add": ListOf(only("NET_BIND_SERVICE"), 1),
            }
        ),
    },
    whys=_LOOSER,
)

# --- containers

_ENV_NAME = matching(r"[-._A-Za-z][-._A-Za-z0-9]*", "a variable like LOG_LEVEL")
_VARIABLE = text_up_to(32 * 1024, "text (numbers and true or false in quotes)")
_KEY_OF_CONFIG = Fields({"name": OWN_CONFIG, "key": CONFIG_KEY, "optional": FLAG}, needs=("name", "key"))
_KEY_OF_SECRET = Fields({"name": OWN_NAME, "key": CONFIG_KEY, "optional": FLAG}, needs=("name", "key"))
_VALUE_SOURCES: dict[str, Allowed] = {
    "fieldRef": _FIELD_REF,
    "resourceFieldRef": _RESOURCE_REF,
    "configMapKeyRef": _KEY_OF_CONFIG,
    "secretKeyRef": _KEY_OF_SECRET,
}
_ENV = ListOf(
    Fields(
        {
            "name": _ENV_NAME,
            "value": _VARIABLE,
            "valueFrom": Fields(_VALUE_SOURCES, one_of=tuple(_VALUE_SOURCES)),
        },
        needs=("name",),
    ),
    300,
)
_ENV_FROM = ListOf(
    Fields(
        {
            "prefix": text_up_to(100),
            "configMapRef": Fields({"name": OWN_CONFIG, "optional": FLAG}, needs=("name",)),
            "secretRef": Fields({"name": OWN_NAME, "optional": FLAG}, needs=("name",)),
        },
        one_of=("configMapRef", "secretRef"),
    ),
    20,
)
_WORDS = ListOf(text_up_to(32 * 1024), 200)
_SECONDS = whole(0, LONGEST_GRACE)
_ELSEWHERE = "kubelet would ask another host from the node; a probe asks its own Pod"
_HTTP_GET = Fields(
    {
        "path": text_up_to(1024),
        "port": PORT,
        "scheme": only("HTTP", "HTTPS"),
        "httpHeaders": ListOf(
            Fields({"name": text_up_to(256), "value": text_up_to(4096)}, needs=("name", "value")), 20
        ),
    },
    says="port, path, scheme, httpHeaders; no host",
    needs=("port",),
    whys={"host": _ELSEWHERE},
)
_EXEC = Fields({"command": _WORDS}, needs=("command",))
_PROBES: dict[str, Allowed] = {
    "httpGet": _HTTP_GET,
    "tcpSocket": Fields({"port": PORT}, needs=("port",), whys={"host": _ELSEWHERE}),
    "grpc": Fields({"port": whole(1, 65535), "service": text_up_to(253)}, needs=("port",)),
    "exec": _EXEC,
}
_PROBE = Fields(
    {
        **_PROBES,
        "initialDelaySeconds": _SECONDS,
        "periodSeconds": whole(1, LONGEST_GRACE),
        "timeoutSeconds": whole(1, LONGEST_GRACE),
        "successThreshold": whole(1, 20),
        "failureThreshold": whole(1, 1000),
        "terminationGracePeriodSeconds": whole(1, LONGEST_GRACE),
    },
    one_of=tuple(_PROBES),
)
_HOOKS: dict[str, Allowed] = {
    "exec": _EXEC,
    "httpGet": _HTTP_GET,
    "sleep": Fields({"seconds": _SECONDS}, needs=("seconds",)),
}
_HOOK = Fields(_HOOKS, one_of=tuple(_HOOKS))
_SIZE = Fields(
    {
        "cpu": quantity_up_to("16", "a larger container is a matter of the cluster"),
        "memory": quantity_up_to("64Gi", "a larger container is a matter of the cluster"),
        "ephemeral-storage": quantity_up_to("20Gi", _SCRATCH),
    },
    whys={"nvidia.com/gpu": "devices are the cluster's"},
)
_MOUNT = Fields(
    {
        "name": text_up_to(63),
        "mountPath": FILE_PATH,
        "readOnly": FLAG,
        "subPath": RELATIVE_PATH,
        "mountPropagation": only("None"),
    },
    needs=("name", "mountPath"),
)
_CONTAINER_FIELDS: dict[str, Allowed] = {
    "name": matching("[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", "a DNS-1123 label"),
    "image": text_up_to(512, "the service's repository, or one of its sidecars in the catalog, by digest"),
    "imagePullPolicy": only("IfNotPresent", "Always"),
    # What runs in the container runs with the service's own account, image and network: a command
    # reaches no further than the image's own would.
    "command": _WORDS,
    "args": _WORDS,
    "workingDir": FILE_PATH,
    "env": _ENV,
    "envFrom": _ENV_FROM,
    "ports": ListOf(
        Fields(
            {
                "name": matching(PORT_NAME, "a port's name like http", most=15),
                "containerPort": whole(1, 65535),
                "protocol": only("TCP", "UDP"),
            },
            needs=("containerPort",),
            whys=dict.fromkeys(
                ("hostPort", "hostIP"), "a port of the node is every service's; use a Service"
            ),
        ),
        20,
    ),
    "resources": Fields(
        {"limits": _SIZE, "requests": _SIZE},
        whys={"claims": "devices are the cluster's; leave it out of the chart"},
    ),
    "securityContext": _CONTAINER_SECURITY,
    "volumeMounts": ListOf(_MOUNT, 50),
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "lifecycle": Fields({"preStop": _HOOK, "postStart": _HOOK}),
    "terminationMessagePath": FILE_PATH,
    "terminationMessagePolicy": only("File", "FallbackToLogsOnError"),
    "stdin": only(False),
    "tty": only(False),
}
CONTAINER = Fields(
    _CONTAINER_FIELDS,
    needs=("name", "image"),
    whys={"volumeDevices": "a service gets files, not devices; mount a volume"},
)
INIT_CONTAINER = Fields(
    {**_CONTAINER_FIELDS, "restartPolicy": only("Always")}, needs=CONTAINER.needs, whys=CONTAINER.whys
)

# --- where Pods run

CAPACITY = "eks.amazonaws.com/capacityType"
_ZONE, _HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
_NODE_LABELS = (
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    _ZONE,
    CAPACITY,
)
_NODE_LABEL = only(*_NODE_LABELS, why="which node it is, is the cluster's to say")
_NODE_VALUE = Leaf(
    "a node's label value; in production not SPOT",
    lambda value, reach: (
        is_label_value(value) and not (reach.workload.environment.production and value.upper() == "SPOT")
    ),
)
_NODE_TERM = Fields(
    {
        "matchExpressions": ListOf(
            Fields(
                {
                    "key": _NODE_LABEL,
                    "operator": only("In", "NotIn", "Exists", "DoesNotExist"),
                    "values": ListOf(text_up_to(63), 20),
                },
                needs=("key", "operator"),
            ),
            10,
        )
    },
    needs=("matchExpressions",),
)
_WEIGHT = whole(1, 100)
_APART = Fields(
    {"labelSelector": _SELECTOR, "topologyKey": only(_ZONE, _HOST)}, needs=("labelSelector", "topologyKey")
)
_AFFINITY = Fields(
    {
        "nodeAffinity": Fields(
            {
                "requiredDuringSchedulingIgnoredDuringExecution": Fields(
                    {"nodeSelectorTerms": ListOf(_NODE_TERM, 10)}, needs=("nodeSelectorTerms",)
                ),
                "preferredDuringSchedulingIgnoredDuringExecution": ListOf(
                    Fields({"weight": _WEIGHT, "preference": _NODE_TERM}, needs=("weight", "preference")), 10
                ),
            }
        ),
        "podAntiAffinity": Fields(
            {
                "requiredDuringSchedulingIgnoredDuringExecution": ListOf(_APART, 5),
                "preferredDuringSchedulingIgnoredDuringExecution": ListOf(
                    Fields(
                        {"weight": _WEIGHT, "podAffinityTerm": _APART}, needs=("weight", "podAffinityTerm")
                    ),
                    5,
                ),
            }
        ),
    },
    whys={"podAffinity": "it ties Pods to others' nodes; use topologySpreadConstraints"},
)
_PASSING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def _tolerated(value: Any, reach: Reach) -> bool:
    allowed = (
        *_PASSING,
        "kubernetes.io/arch",
        *([] if reach.workload.environment.production else [CAPACITY]),
    )
    return isinstance(value, str) and value in allowed


_TOLERATION = Fields(
    {
        "key": Leaf(
            f"one of {', '.join(_PASSING)}, kubernetes.io/arch, and outside production {CAPACITY}",
            _tolerated,
            "other nodes are kept for others",
        ),
        "operator": only("Equal", "Exists"),
        "value": text_up_to(63),
        "effect": only("NoSchedule", "PreferNoSchedule", "NoExecute"),
        "tolerationSeconds": whole(0, LONGEST_GRACE),
    },
    needs=("key",),
)
_SPREAD = Fields(
    {
        "maxSkew": whole(1, 100),
        "minDomains": whole(1, 10),
        "topologyKey": only(_ZONE, _HOST),
        "whenUnsatisfiable": only("ScheduleAnyway", "DoNotSchedule"),
        "labelSelector": _SELECTOR,
        "nodeAffinityPolicy": only("Honor", "Ignore"),
        "nodeTaintsPolicy": only("Honor", "Ignore"),
        "matchLabelKeys": ListOf(only("pod-template-hash"), 1),
    },
    needs=("maxSkew", "topologyKey", "whenUnsatisfiable"),
)

# --- the Pod

_NODE = "a service may not have the node; leave it out of the chart"
_ADDRESSES = "names must lead where the cluster says; leave it out of the chart"
_RANKS = "it lets Pods push out other services' Pods; leave it out of the chart"
_SCHEDULERS = "where Pods run is the cluster's to say; leave it out of the chart"
POD = Fields(
    {
        "containers": ListOf(CONTAINER, 10),
        "initContainers": ListOf(INIT_CONTAINER, 10),
        "volumes": ListOf(_VOLUME, 50),
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": only(False, why="no service needs the Kubernetes API"),
        "enableServiceLinks": FLAG,
        "imagePullSecrets": ListOf(Fields({"name": PULL_SECRET}, needs=("name",)), 5),
        "securityContext": _POD_SECURITY,
        "restartPolicy": only("Always"),
        "terminationGracePeriodSeconds": _SECONDS,
        "dnsPolicy": only("ClusterFirst", why=_ADDRESSES),
        "hostNetwork": only(False, why=_NODE),
        "hostPID": only(False, why=_NODE),
        "hostIPC": only(False, why=_NODE),
        "shareProcessNamespace": only(False, why="containers are kept apart"),
        "nodeSelector": Entries(_NODE_LABEL, _NODE_VALUE, 5),
        "affinity": _AFFINITY,
        "tolerations": ListOf(_TOLERATION, 10),
        "topologySpreadConstraints": ListOf(_SPREAD, 5),
    },
    needs=("containers",),
    whys={
        **dict.fromkeys(("hostUsers", "nodeName"), _NODE),
        **dict.fromkeys(
            ("hostAliases", "dnsConfig", "hostname", "subdomain", "setHostnameAsFQDN"), _ADDRESSES
        ),
        **dict.fromkeys(("priorityClassName", "priority", "preemptionPolicy"), _RANKS),
        **dict.fromkeys(("schedulerName", "runtimeClassName", "schedulingGates", "overhead"), _SCHEDULERS),
        "serviceAccount": "write serviceAccountName",
        "ephemeralContainers": "they are for debugging a running Pod; leave it out of the chart",
        "resourceClaims": "devices are the cluster's; leave it out of the chart",
    },
)

# A Pod that runs once: it is not started again, whatever the chart says.
_ONCE = Ours("a release runs it once, and keeps it for a week")
JOB_POD = dataclasses.replace(POD, fields={**POD.fields, "restartPolicy": only("Never", "OnFailure")})

# --- kinds

_POLICY_PORTS = ListOf(
    Fields(
        {"protocol": only("TCP", "UDP"), "port": PORT},
        needs=("port",),
        whys={"endPort": "name each port"},
    ),
    20,
)


_PEERS = ListOf(
    Fields(
        {
            "podSelector": _SELECTOR,
            "namespaceSelector": _SELECTOR,
            "ipBlock": Fields(
                {
                    "cidr": Leaf(
                        "a network like 10.0.1.0/24, without the node's own (169.254.0.0/16)",
                        lambda value, _: is_network(value),
                    ),
                    "except": ListOf(text_up_to(50), 20),
                },
                needs=("cidr",),
            ),
        }
    ),
    20,
)


def _evictable(number: int, share: bool, reach: Reach) -> bool:
    # Where there is one Pod, the catalog's budget stands (see `bundle`).
    least = max(2, reach.workload.replicas.min)
    return (math.ceil(least * number / 100) if share else number) < least


_LETS_GO = "a node must be able to drain"
_METRIC_TARGET = Fields(
    {
        "type": only("Utilization", "AverageValue", "Value"),
        "averageUtilization": whole(1, 1000),
        "averageValue": quantity_up_to("1T"),
        "value": quantity_up_to("1T"),
    },
    needs=("type",),
)
_RESOURCE_NAME = only("cpu", "memory")
_METRICS: dict[str, Allowed] = {
    "resource": Fields({"name": _RESOURCE_NAME, "target": _METRIC_TARGET}, needs=("name", "target")),
    "containerResource": Fields(
        {"name": _RESOURCE_NAME, "container": text_up_to(63), "target": _METRIC_TARGET},
        needs=("name", "container", "target"),
    ),
    "pods": Fields(
        {"metric": Fields({"name": text_up_to(253)}, needs=("name",)), "target": _METRIC_TARGET},
        needs=("metric", "target"),
    ),
}
_SCALING = Fields(
    {
        "stabilizationWindowSeconds": whole(0, 3600),
        "selectPolicy": only("Max", "Min"),
        "policies": ListOf(
            Fields(
                {"type": only("Pods", "Percent"), "value": whole(1, 1000), "periodSeconds": whole(1, 1800)},
                needs=("type", "value", "periodSeconds"),
            ),
            10,
        ),
    }
)
_NOT_OURS = "metrics of other objects are not a service's; scale by the Pods' own"
_LOAD_BALANCER = "the load balancer reaches Pods directly; leave it out of the chart"
_STATUS = Ours("the cluster's stands")
_NOT_AGAIN = "a release runs one Pod of it, once; leave it out of the chart"


def _kind(api_version: str, kind: str, needs: tuple[str, ...] = (), **fields: Allowed) -> Fields:
    head: dict[str, Allowed] = {"apiVersion": only(api_version), "kind": only(kind), "metadata": METADATA}
    return Fields({**head, **fields}, needs=("apiVersion", "kind", "metadata", *needs))


# In the order in which they are applied.
OBJECTS: dict[str, Fields] = {
    "ServiceAccount": _kind(
        "v1",
        "ServiceAccount",
        automountServiceAccountToken=Ours("no token is mounted"),
    ),
    "NetworkPolicy": _kind(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        needs=("spec",),
        spec=Fields(
            {
                "podSelector": _SELECTOR,
                "policyTypes": ListOf(only("Ingress", "Egress"), 2),
                "ingress": ListOf(Fields({"ports": _POLICY_PORTS, "from": _PEERS}, needs=("ports",)), 50),
                "egress": ListOf(Fields({"ports": _POLICY_PORTS, "to": _PEERS}, needs=("ports",)), 50),
            }
        ),
    ),
    "ConfigMap": _kind(
        "v1",
        "ConfigMap",
        data=Entries(CONFIG_KEY, text_up_to(256 * 1024), 100),
        binaryData=Entries(CONFIG_KEY, matching("[A-Za-z0-9+/=\\s]*", "base64", most=256 * 1024), 100),
        immutable=only(False, why="the slot's next version changes it"),
    ),
    "ExternalSecret": _kind(
        EXTERNAL_API, "ExternalSecret", needs=("spec",), status=_STATUS, spec=EXTERNAL_SECRET
    ),
    "SecretProviderClass": _kind(
        CLASS_API, "SecretProviderClass", needs=("spec",), status=_STATUS, spec=PROVIDER_CLASS
    ),
    "Service": _kind(
        "v1",
        "Service",
        needs=("spec",),
        status=_STATUS,
        spec=Fields(
            {
                "type": only("ClusterIP", why="the load balancer reaches Pods directly"),
                "clusterIP": only("None", ""),
                "selector": Entries(text_up_to(317), text_up_to(63), 10),
                "ports": ListOf(
                    Fields(
                        {
                            "name": text_up_to(63),
                            "port": whole(1, 65535),
                            "targetPort": PORT,
                            "protocol": only("TCP", "UDP"),
                            "appProtocol": text_up_to(100),
                        },
                        needs=("port",),
                        whys={"nodePort": _LOAD_BALANCER},
                    ),
                    20,
                ),
                "sessionAffinity": only("None"),
                "internalTrafficPolicy": only("Cluster"),
                "publishNotReadyAddresses": only(False, why="only ready Pods get requests"),
            },
            whys={
                **dict.fromkeys(
                    (
                        "externalIPs",
                        "externalName",
                        "loadBalancerIP",
                        "loadBalancerClass",
                        "externalTrafficPolicy",
                    ),
                    _LOAD_BALANCER,
                ),
            },
        ),
    ),
    "PodDisruptionBudget": _kind(
        "policy/v1",
        "PodDisruptionBudget",
        needs=("spec",),
        status=_STATUS,
        spec=Fields(
            {
                "maxUnavailable": percent_or_number(
                    "1 or more, or 1% or more", lambda number, share, _: number >= 1, _LETS_GO
                ),
                "minAvailable": percent_or_number(
                    "less than the smallest number of Pods", _evictable, _LETS_GO
                ),
                "selector": _SELECTOR,
                "unhealthyPodEvictionPolicy": only("IfHealthyBudget", "AlwaysAllow"),
            },
            one_of=("maxUnavailable", "minAvailable"),
        ),
    ),
    "Deployment": _kind(
        "apps/v1",
        "Deployment",
        needs=("spec",),
        status=_STATUS,
        spec=Fields(
            {
                "replicas": Ours("the autoscaler's stands"),
                "selector": _SELECTOR,
                "strategy": _RELEASE,
                "progressDeadlineSeconds": _RELEASE,
                "minReadySeconds": _SECONDS,
                "revisionHistoryLimit": whole(0, 20),
                "paused": only(False),
                "template": Fields({"metadata": _POD_METADATA, "spec": POD}, needs=("spec",)),
            },
            needs=("template",),
        ),
    ),
    "Job": _kind(
        "batch/v1",
        "Job",
        needs=("spec",),
        status=_STATUS,
        spec=Fields(
            {
                "activeDeadlineSeconds": whole(1, LONGEST_JOB),
                "completions": only(1),
                "parallelism": only(1),
                "completionMode": only("NonIndexed"),
                "suspend": only(False, why="a release would wait for it"),
                **dict.fromkeys(("backoffLimit", "ttlSecondsAfterFinished", "podReplacementPolicy"), _ONCE),
                "template": Fields({"metadata": _POD_METADATA, "spec": JOB_POD}, needs=("spec",)),
            },
            needs=("template",),
            whys=dict.fromkeys(("podFailurePolicy", "backoffLimitPerIndex", "successPolicy"), _NOT_AGAIN),
        ),
    ),
    "HorizontalPodAutoscaler": _kind(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        needs=("spec",),
        status=_STATUS,
        spec=Fields(
            {
                "minReplicas": Ours("the catalog's range stands"),
                "maxReplicas": Ours("the catalog's range stands"),
                # Overwritten; one that names another service's Deployment was not meant for this one.
                "scaleTargetRef": Fields(
                    {"apiVersion": only("apps/v1"), "kind": only("Deployment"), "name": NAME}
                ),
                "metrics": ListOf(
                    Fields(
                        {"type": only("Resource", "ContainerResource", "Pods", why=_NOT_OURS), **_METRICS},
                        needs=("type",),
                        one_of=tuple(_METRICS),
                        whys=dict.fromkeys(("external", "object"), _NOT_OURS),
                    ),
                    10,
                ),
                "behavior": Fields({"scaleUp": _SCALING, "scaleDown": _SCALING}),
            }
        ),
    ),
}
# A Pod that ends.
_RUN = Fields({**POD.fields, "restartPolicy": only("Never", "OnFailure")}, needs=POD.needs, whys=POD.whys)
_JOB = Fields(
    {
        "backoffLimit": whole(0, 10),
        "activeDeadlineSeconds": whole(1, 86400),
        "ttlSecondsAfterFinished": whole(0, 30 * 86400),
        "template": Fields({"metadata": _POD_METADATA, "spec": _RUN}, needs=("spec",)),
    },
    needs=("template",),
    whys=dict.fromkeys(
        ("parallelism", "completions", "completionMode", "suspend"),
        "one Pod a run; leave it out of the chart",
    ),
)
OBJECTS["CronJob"] = _kind(
    "batch/v1",
    "CronJob",
    needs=("spec",),
    status=_STATUS,
    spec=Fields(
        {
            "schedule": Leaf(
                "five fields like 30 3 * * *, or @daily",
                lambda value, _: isinstance(value, str) and not wrong_with(value),
            ),
            "timeZone": text_up_to(60),
            "concurrencyPolicy": Ours("two runs never overlap"),
            "startingDeadlineSeconds": Ours("what was missed for long waits for its next time"),
            "suspend": only(False, why="leave a CronJob out that shall not run"),
            "successfulJobsHistoryLimit": whole(0, 20),
            "failedJobsHistoryLimit": whole(0, 20),
            "jobTemplate": Fields(
                {"metadata": Ours("the release's labels stand"), "spec": _JOB}, needs=("spec",)
            ),
        },
        needs=("schedule", "jobTemplate"),
    ),
)
# How many of a kind a bundle may hold.
MOST = {
    "ConfigMap": 20,
    "Job": 5,
    "ExternalSecret": 10,
    "SecretProviderClass": 5,
    "Service": 5,
    "NetworkPolicy": 10,
    "CronJob": 10,
}
