"""Ways to ask a cluster's API: through EKS, or as kubectl does, which is for reading alone."""

from __future__ import annotations

import base64
import subprocess
import time
from typing import Any, Protocol

import msgspec
import urllib3

from candlefish.adapters.aws.eks_token import EksTokens, Signer
from candlefish.errors import Misconfigured, Unavailable
from cli.adopt.look_cluster import Ask

# Connect and read, in seconds.
TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
# Of one call of kubectl, in seconds.
PATIENCE = 60.0


class Request(Protocol):
    """Sends a request to the API, with a merge patch where one is given: the answer's status and body."""

    def __call__(self, path: str, method: str = "GET", patch: Any = None) -> tuple[int, bytes]: ...


def by_eks(eks: Any, name: str, credentials: Signer | None) -> Request:
    """The cluster that a client of EKS knows by `name`, as whoever's credentials these are; its region is the client's.

    Raises
    ------
    ClientError
        There is no such cluster, or it may not be seen.
    Misconfigured
        There are no credentials.
    """
    found = eks.describe_cluster(name=name)["cluster"]
    if credentials is None:
        raise Misconfigured("there are no AWS credentials; set AWS_PROFILE, or sign in")
    tokens = EksTokens(credentials, cluster=name, region=eks.meta.region_name, now=time.time)
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    pool = urllib3.PoolManager(ca_cert_data=ca, cert_reqs="CERT_REQUIRED", timeout=TIMEOUT, retries=2)

    def ask(path: str, method: str = "GET", patch: Any = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {tokens()}", "Accept": "application/json"}
        if patch is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        body = None if patch is None else msgspec.json.encode(patch)
        try:
            answer = pool.request(method, found["endpoint"] + path, headers=headers, body=body)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(
                f"cluster {name} does not answer at {found['endpoint']} ({type(error).__name__}): ask from inside its "
                "network, or use --context with a kubeconfig that leads there"
            ) from error
        return answer.status, answer.data

    return ask


def by_kubectl(context: str) -> Ask:
    """The cluster of a kubeconfig's context, with whatever login kubectl has for it."""

    def ask(path: str) -> tuple[int, bytes]:
        command = ["kubectl", "--context", context, "get", "--raw", path]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        except FileNotFoundError as error:
            raise Misconfigured("--context wants kubectl, which was not found; use --cluster") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"the cluster of context {context} did not answer in {PATIENCE:.0f} s"
            ) from error
        if done.returncode == 0:
            return 200, done.stdout
        said = done.stderr.decode(errors="replace")
        if "NotFound" in said or "could not find" in said:
            return 404, b""
        if "Forbidden" in said or "forbidden" in said:
            return 403, b""
        raise Unavailable(f"kubectl cannot ask context {context}: {' '.join(said.split())[:300]}")

    return ask
