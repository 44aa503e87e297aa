"""The Kubernetes API of an EKS cluster, found by its name."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from candlefish.adapters.aws.eks_token import EksTokens, Signer
from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.kubernetes.api import Api


def ip_family(eks: Any, name: str) -> str:
    """What addresses Pods of a cluster have: `ipv4` or `ipv6`."""
    with aws_call(f"finding cluster {name}"):
        network = eks.describe_cluster(name=name)["cluster"].get("kubernetesNetworkConfig") or {}
    return str(network.get("ipFamily") or "ipv4")


def eks_api(
    eks: Any, name: str, credentials: Signer, now: Callable[[], float], left: Callable[[], float]
) -> Api:
    """The API of the cluster that a client of EKS knows by `name`; its region is the client's.

    `left` says for how many seconds the function that asks still lives.
    """
    with aws_call(f"finding cluster {name}"):
        found = eks.describe_cluster(name=name)["cluster"]
    tokens = EksTokens(credentials, cluster=name, region=eks.meta.region_name, now=now)
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    return Api(found["endpoint"], ca, tokens, sleep=time.sleep, left=left)
