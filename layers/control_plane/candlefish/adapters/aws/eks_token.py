"""Bearer tokens for EKS: a presigned STS GetCallerIdentity URL that names the cluster.

Nothing is called here. The cluster's authenticator sends the URL to STS and learns who signed it.
Source: kubernetes-sigs/aws-iam-authenticator, "API authorization from outside a cluster".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Protocol

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
# Clusters accept a URL for 15 minutes after it was signed; we stop using it well before.
REUSED_FOR = 600.0
URL_VALID_FOR = 60


class Signer(Protocol):
    """Where credentials come from: botocore's `Credentials`, refreshed by itself when temporary."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


def eks_token(credentials: Credentials | ReadOnlyCredentials, *, cluster: str, region: str) -> str:
    """A token for one cluster, signed now."""
    suffix = ".cn" if region.startswith("cn-") else ""
    request = AWSRequest(
        method="GET",
        url=f"https://sts.{region}.amazonaws.com{suffix}/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={CLUSTER_HEADER: cluster},
    )
    SigV4QueryAuth(credentials, "sts", region, expires=URL_VALID_FOR).add_auth(request)
    return PREFIX + base64.urlsafe_b64encode(request.url.encode()).decode().rstrip("=")


class EksTokens:
    """Keeps one token and signs a new one when it gets old, or when the cluster refused it."""

    def __init__(self, signer: Signer, *, cluster: str, region: str, now: Callable[[], float]) -> None:
        self._signer = signer
        self._cluster, self._region, self._now = cluster, region, now
        self._token, self._signed_at = "", float("-inf")

    def __call__(self, *, fresh: bool = False) -> str:
        """The token to send; `fresh` asks for a new one."""
        if fresh or self._now() - self._signed_at >= REUSED_FOR:
            frozen = self._signer.get_frozen_credentials()
            self._token = eks_token(frozen, cluster=self._cluster, region=self._region)
            self._signed_at = self._now()
        return self._token
