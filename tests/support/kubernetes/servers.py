"""API servers under test, and one test's namespace on them as the control plane sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from botocore.credentials import Credentials

from candlefish.adapters.aws.eks_token import EksTokens
from candlefish.adapters.kubernetes.api import Api
from candlefish.adapters.kubernetes.cluster import NEW, KubernetesCluster
from candlefish.adapters.kubernetes.messages import MERGE, ApiResponse, RequestCarrier
from candlefish.release.manifests.model import generation_of
from candlefish.release.model import Manifest
from candlefish.release.ports import Cluster
from lab.kube import Identity, User, eks_authenticator
from lab.kube.access import Authenticator
from lab.looks import looks
from tests.support.kubernetes.rest import Rest
from tests.support.kubernetes.simulated import STEP, Simulated, SimulatedRest
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
EKS_NAME = "candlefish-contract"
KEY_ID, SECRET = "AKIACONTRACT00000001", "contract-secret"
SLEEPER_ID = "AKIACONTRACT00000002"
GROUP = "candlefish-release"
ROLES = {
    KEY_ID: User("candlefish", (GROUP,)),
    SLEEPER_ID: User("candlefish-capacity", ("candlefish-capacity",)),
}
T = TypeVar("T")


class Old:
    """The API of a server before 1.24, which makes a Service only without a version (kubernetes issue 106745).

    CronJobs it has under an older version, without a time zone.
    """

    def __init__(self, api: RequestCarrier) -> None:
        self._api = api

    def request(self, method: str, path: str, **more: Any) -> ApiResponse:
        body = more.get("body") or {}
        metadata = body.get("metadata") or {}
        if "/services/" in path and metadata.get("resourceVersion") == NEW:
            plain = {key: part for key, part in metadata.items() if key != "resourceVersion"}
            more["body"] = {**body, "metadata": plain}
        if "/cronjobs" in path:
            path = path.replace(f"{GROUPS['cronjobs']}/", f"{OLDER['cronjobs']}/")
            if "apiVersion" in body:
                spec = {key: part for key, part in body["spec"].items() if key != "timeZone"}
                more["body"] = {**body, "apiVersion": OLDER["cronjobs"].removeprefix("/apis/"), "spec": spec}
        return self._api.request(method, path, **more)


class Server(msgspec.Struct, frozen=True):
    """An API server under test."""

    kind: str
    endpoint: str
    ca_pem: str
    admin: Rest | SimulatedRest
    # Minor version: what an old server lacks is left out of what is sent to it.
    minor: int
    simulated: Simulated | None = None

    def carrier(self, key: str = KEY_ID, sleep: Callable[[float], None] = time.sleep) -> RequestCarrier:
        """The API as the role with an access key has it."""
        if self.simulated:
            # Each request takes a while.
            kernel = self.simulated.kernel
            return self.simulated.cluster.api(ROLES[key], before=lambda: kernel.sleep(STEP))
        api = Api(self.endpoint, self.ca_pem, eks_tokens(key=key), sleep=sleep)
        return api if self.minor >= 24 else Old(api)

    def rest(self, key: str = KEY_ID) -> Rest | SimulatedRest:
        """Plain requests of that role."""
        if self.simulated:
            return SimulatedRest(self.simulated, ROLES[key])
        return Rest(self.endpoint, self.ca_pem, eks_tokens(key=key)())


def applied(
    cluster: Cluster, objects: tuple[Manifest, ...], *, generation: int = 0, force: bool = False
) -> tuple[str, ...]:
    """Apply by the generation that the objects say, unless another is given."""
    said = max(generation_of(each["metadata"].get("annotations") or {}) for each in objects)
    return cluster.apply(objects, generation=generation or said, force=force)


class World(msgspec.Struct, frozen=True):
    """One test's namespace on a server, as the control plane with its limited role sees it."""

    server: Server
    namespace: str
    cluster: KubernetesCluster
    limited: Rest | SimulatedRest

    @property
    def admin(self) -> Rest | SimulatedRest:
        return self.server.admin

    def get(self, kind: str, name: str) -> Any:
        """An object as the administrator sees it; None when it is missing."""
        status, answer = self.admin.call(
            "GET", f"{self.group(kind)}/namespaces/{self.namespace}/{kind}/{name}"
        )
        assert status in (200, 404), answer
        return answer if status == 200 else None

    def group(self, kind: str) -> str:
        """Where the server under test has a kind."""
        return OLDER[kind] if kind == "cronjobs" and self.server.minor < 24 else GROUPS[kind]

    def pods(self) -> list[Any]:
        """Pods that are there and not on their way out."""
        found = self.admin.must("GET", f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def apply(
        self, objects: tuple[Manifest, ...], *, generation: int = 0, force: bool = False
    ) -> tuple[str, ...]:
        """Apply as the control plane does, by the generation that the objects say unless another is given."""
        spelled = tuple(self.spelled(each) for each in objects)
        return applied(self.cluster, spelled, generation=generation, force=force)

    def scale(self, name: str, replicas: int) -> None:
        """Somebody else asks for a number of Pods, as the autoscaler and `kubectl scale` do."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}/scale?fieldManager=somebody"
        self.admin.must("PATCH", path, {"spec": {"replicas": replicas}}, MERGE)

    def spelled(self, manifest: Manifest) -> Manifest:
        """A manifest as the server under test understands it: before 1.30 preStop knows no `sleep`."""
        if self.server.minor >= 30 or manifest["kind"] not in ("Deployment", "StatefulSet"):
            return manifest
        copy: Manifest = msgspec.json.decode(msgspec.json.encode(manifest))
        if self.server.minor < 27:
            copy["spec"].pop("persistentVolumeClaimRetentionPolicy", None)
        for container in copy["spec"]["template"]["spec"]["containers"]:
            if "lifecycle" not in container:
                continue
            sleep = container["lifecycle"]["preStop"].pop("sleep")
            container["lifecycle"]["preStop"]["exec"] = {"command": ["sleep", str(sleep["seconds"])]}
        return copy


class Slots(msgspec.Struct, frozen=True):
    """A namespace for slots, its cluster, and how objects are applied that the server understands."""

    namespace: str
    cluster: Cluster
    apply: Callable[..., tuple[str, ...]]


GROUPS = {
    "pods": "/api/v1",
    "services": "/api/v1",
    "configmaps": "/api/v1",
    "serviceaccounts": "/api/v1",
    "cronjobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "persistentvolumeclaims": "/api/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "targetgroupbindings": "/apis/elbv2.k8s.aws/v1beta1",
}
# What a server as old as that of some test machines (1.20) has under another version.
OLDER = {
    "horizontalpodautoscalers": "/apis/autoscaling/v2beta2",
    "poddisruptionbudgets": "/apis/policy/v1beta1",
    "cronjobs": "/apis/batch/v1beta1",
}


def until(look: Callable[[], T], done: Callable[[T], bool]) -> T:
    """Look until it is as wanted; what was seen last, wanted or not."""
    for _ in looks(PATIENCE, every=0.05):
        if done(seen := look()):
            break
    return seen


def authenticate() -> Authenticator:
    """The two roles of the product that a cluster has access entries for."""
    return eks_authenticator(EKS_NAME, {key: Identity(user, SECRET) for key, user in ROLES.items()})


def eks_tokens(*, cluster: str = EKS_NAME, secret: str = SECRET, key: str = KEY_ID) -> EksTokens:
    """Tokens as the functions make them."""
    return EksTokens(Credentials(key, secret), cluster=cluster, region="us-west-2", now=time.time)
