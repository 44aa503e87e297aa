"""The Kubernetes API, through the `kubernetes` package in its fast way."""

from __future__ import annotations

import time
from collections.abc import Callable

from candlefish.adapters.kubernetes.api import Api, TokenSource
from candlefish.adapters.kubernetes.cluster import KubernetesCluster

__all__ = ["KubernetesCluster", "Tokens", "connect"]


def connect(
    endpoint: str, ca_pem: str, tokens: TokenSource, *, sleep: Callable[[float], None] = time.sleep
) -> KubernetesCluster:
    """A cluster by its endpoint (`https://host`) and its CA certificate (PEM); connects on first use."""
    return KubernetesCluster(Api(endpoint, ca_pem, tokens, sleep=sleep))
