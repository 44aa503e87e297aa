"""A Kubernetes API good enough for what the control plane uses of one. What it lacks: docs/kubernetes.md."""

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
