"""The kinds the fake cluster serves."""

from __future__ import annotations

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One kind of object. `model` is its class in the `kubernetes` package, which knows its fields."""

    group: str
    version: str
    kind: str
    plural: str
    model: str = ""
    short: tuple[str, ...] = ()
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    # Shown by `kubectl get all`.
    shown: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name that messages use: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _rbac(kind: str, plural: str, *, namespaced: bool) -> Kind:
    return Kind("rbac.authorization.k8s.io", "v1", kind, plural, f"V1{kind}", namespaced=namespaced)


NAMESPACE = Kind("", "v1", "Namespace", "namespaces", "V1Namespace", ("ns",), namespaced=False)
NODE = Kind("", "v1", "Node", "nodes", "V1Node", ("no",), namespaced=False, subresources=("status",))
POD = Kind("", "v1", "Pod", "pods", "V1Pod", ("po",), subresources=("status", "eviction", "log"), shown=True)
SERVICE = Kind("", "v1", "Service", "services", "V1Service", ("svc",), subresources=("status",), shown=True)
QUOTA = Kind(
    "", "v1", "ResourceQuota", "resourcequotas", "V1ResourceQuota", ("quota",), subresources=("status",)
)
DEPLOYMENT = Kind(
    "apps", "v1", "Deployment", "deployments", "V1Deployment", ("deploy",), True, ("status", "scale"), True
)
REPLICA_SET = Kind(
    "apps", "v1", "ReplicaSet", "replicasets", "V1ReplicaSet", ("rs",), True, ("status", "scale"), True
)
STATEFUL_SET = Kind(
    "apps", "v1", "StatefulSet", "statefulsets", "V1StatefulSet", ("sts",), True, ("status", "scale"), True
)
AUTOSCALER = Kind(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "V2HorizontalPodAutoscaler",
    ("hpa",),
    subresources=("status",),
    shown=True,
)
BUDGET = Kind(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    "V1PodDisruptionBudget",
    ("pdb",),
    subresources=("status",),
)
BINDING = Kind(
    "elbv2.k8s.aws", "v1beta1", "TargetGroupBinding", "targetgroupbindings", subresources=("status",)
)
SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "V1EndpointSlice")
JOB = Kind("batch", "v1", "Job", "jobs", "V1Job", subresources=("status",), shown=True)
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs", "V1CronJob", ("cj",), subresources=("status",))
EXTERNAL_SECRET = Kind(
    "external-secrets.io", "v1", "ExternalSecret", "externalsecrets", short=("es",), subresources=("status",)
)
PROVIDER_CLASS = Kind("secrets-store.csi.x-k8s.io", "v1", "SecretProviderClass", "secretproviderclasses")
SECRET = Kind("", "v1", "Secret", "secrets", "V1Secret")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", "V1ConfigMap", ("cm",))
CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "V1PersistentVolumeClaim", ("pvc",))
ROLE = _rbac("Role", "roles", namespaced=True)
ROLE_BINDING = _rbac("RoleBinding", "rolebindings", namespaced=True)
CLUSTER_ROLE = _rbac("ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = _rbac("ClusterRoleBinding", "clusterrolebindings", namespaced=False)

KINDS: tuple[Kind, ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    QUOTA,
    Kind("", "v1", "ServiceAccount", "serviceaccounts", "V1ServiceAccount", ("sa",)),
    CONFIG_MAP,
    SECRET,
    CLAIM,
    Kind("", "v1", "Event", "events", "CoreV1Event", ("ev",)),
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    AUTOSCALER,
    BUDGET,
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "V1NetworkPolicy", ("netpol",)),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", "V1Ingress", ("ing",), subresources=("status",)),
    SLICE,
    JOB,
    CRON_JOB,
    BINDING,
    # What the External Secrets Operator and the Secrets Store CSI driver bring; `lab.kube.controllers.secrets` keeps the Secrets.
    EXTERNAL_SECRET,
    PROVIDER_CLASS,
    # What KEDA, Karpenter and Argo Rollouts bring; nothing here moves them.
    Kind("argoproj.io", "v1alpha1", "Rollout", "rollouts", short=("ro",), subresources=("status",)),
    Kind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", short=("so",), subresources=("status",)),
    Kind("karpenter.sh", "v1", "NodePool", "nodepools", namespaced=False, subresources=("status",)),
    Kind("karpenter.sh", "v1", "NodeClaim", "nodeclaims", namespaced=False, subresources=("status",)),
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
)
BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
