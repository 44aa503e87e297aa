"""A Kubernetes API server with its controllers, in threads: storage, RBAC, patches and apply, watches, kubelets.

Who runs the Pods and who fills target groups is handed in (`runtime.PodRuntime`, `runtime.TargetRegistrar`). What it
lacks: docs/kubernetes.md.
"""

from lab.kube.access import Identity, User, eks_authenticator
from lab.kube.cluster import FakeCluster
from lab.kube.runtime import NullRuntime, PodRuntime, PodState, TargetRegistrar

__all__ = [
    "FakeCluster",
    "Identity",
    "NullRuntime",
    "PodRuntime",
    "PodState",
    "TargetRegistrar",
    "User",
    "eks_authenticator",
]
