"""A whole fake cluster: API server, controllers and nodes, in threads of this process."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.kube import schema
from lab.kube.access import MASTERS, Authenticator, User
from lab.kube.certificates import Authority
from lab.kube.controllers import Controllers
from lab.kube.controllers.objects import CONTROLLER
from lab.kube.kinds import CONFIG_MAP, KINDS, NAMESPACE, NODE, POD, SECRET
from lab.kube.kubelet import NODES, Kubelet
from lab.kube.runtime import NullRuntime, Object, PodRuntime, TargetRegistrar
from lab.kube.server import FaultHook, Server
from lab.kube.store import Store
from lab.kube.target_groups import TargetController
from lab.kube.writes import Options, Writes
from lab.pace import Pace

LOG = logging.getLogger(__name__)
ADMIN = User("candlefish-lab-admin", (MASTERS,))
# How often Pods are looked at, in seconds.
TICK = 0.05
# How long controllers rest at most: deadlines and refused Pods need another look without a change.
REST = 1.0
RETRY = 0.5


class FakeCluster:
    """A cluster with the given namespaces. Nothing runs before `start`.

    Parameters
    ----------
    runtime:
        What runs the Pods; one that runs nothing by default.
    registrar:
        What fills target groups; none by default.
    authenticate:
        Says who a bearer token is, beside the admin token of `kubeconfig`.
    faults:
        Asked before every request with (resource, verb, user) what shall go wrong.
    time_scale:
        Factor for the times that Pods ask for (preStop, grace).
    pace:
        How often to look at the Pods; a lab's that rests never by default.
    port:
        0 takes a free one.
    """

    def __init__(
        self,
        runtime: PodRuntime | None = None,
        registrar: TargetRegistrar | None = None,
        *,
        namespaces: Iterable[str] = ("default",),
        authenticate: Authenticator | None = None,
        faults: FaultHook | None = None,
        time_scale: float = 1.0,
        pace: Pace | None = None,
        port: int = 0,
        secret_values: Callable[[str], str | None] | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self.store = Store()
        self.writes = Writes(self.store)
        self.admin_token = secrets.token_urlsafe(24)
        self._authenticate, self._faults, self._port = authenticate, faults, port
        self._runtime = runtime or NullRuntime()
        # Secrets Manager, for a cluster that has the operators that read it; None for one without.
        self.writes.secret_values = secret_values
        self.writes.logs = lambda pod: self._runtime.state(pod).log
        self._kubelet = Kubelet(StorePods(self.writes), self._runtime, time_scale=time_scale)
        self._controllers = Controllers(self.writes)
        self._targets = TargetController(self.store, self._runtime, registrar) if registrar else None
        self._authority = Authority()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server: Server | None = None
        self.endpoint = ""
        furnish(self.writes, namespaces)

    @property
    def ca_pem(self) -> str:
        """The certificate authority that the API's certificate is from."""
        return self._authority.pem

    def start(self) -> str:
        """Serve, and begin to move; the endpoint (`https://127.0.0.1:port`)."""
        pair = self._authority.issue("kubernetes", hosts=("127.0.0.1", "localhost", "kubernetes.default.svc"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            certificate.write_text(pair.certificate)
            key.write_text(pair.key)
            context.load_cert_chain(certificate, key)
        self._server = Server(("127.0.0.1", self._port), context, self.writes, self._who, self._faults)
        self.endpoint = f"https://127.0.0.1:{self._server.server_address[1]}"
        loops = [self._server.serve_forever, self._move, schema.warm]
        if self._targets:
            loops.append(self._register)
        for loop in loops:
            thread = threading.Thread(target=loop, name=f"kube-{loop.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self.endpoint

    def stop(self) -> None:
        """Stop serving and moving. Pods that run are left to their runtime."""
        self._stopping.set()
        if self._server:
            self._server.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server.close_all()
        with self.store.changed:
            self.store.changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def kubeconfig(self, path: Path, *, namespace: str = "default") -> Path:
        """Write a kubeconfig for the cluster's administrator."""
        authority = base64.b64encode(self.ca_pem.encode()).decode()
        cluster = {"server": self.endpoint, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.admin_token}}],
            "contexts": [
                {"name": "lab", "context": {"cluster": "lab", "user": "admin", "namespace": namespace}}
            ],
            "current-context": "lab",
        }
        path.write_text(json.dumps(config, indent=2))
        path.chmod(0o600)
        return path

    def apply(self, objects: Iterable[Mapping[str, Any]], *, namespace: str = "") -> None:
        """Put objects in place as the administrator would (`kubectl apply -n`), before or after `start`."""
        apply_all(self.writes, objects, namespace=namespace)

    def _who(self, token: str) -> User | None:
        if secrets.compare_digest(token, self.admin_token):
            return ADMIN
        return self._authenticate(token) if self._authenticate else None

    def _move(self) -> None:
        """Controllers whenever something changed, nodes all the time."""
        seen, rested = 0, 0.0
        while not self._stopping.is_set():
            try:
                self._kubelet.sync()
                if self.store.version != seen or time.monotonic() - rested > REST:
                    if self.store.version != seen:
                        self._pace.stir()
                    seen, rested = self.store.version, time.monotonic()
                    self._controllers.sync(by_the_clock=True)
            except Exception:
                LOG.exception("a controller failed; going on")
            if self.store.version == seen:
                self.store.wait(seen, self._pace.pause(TICK))

    def _register(self) -> None:
        assert self._targets
        seen = 0
        while not self._stopping.is_set():
            version = self.store.version
            if version != seen and self._targets.sync():
                seen = version
            elif version != seen:
                self._stopping.wait(RETRY)
            self.store.wait(seen, RETRY)


def furnish(writes: Writes, namespaces: Iterable[str]) -> None:
    """Make what a new cluster has: namespaces that are not there yet, and nodes."""
    for name in ("kube-system", *namespaces):
        if writes.store.get(NAMESPACE, "", name) is None:
            writes.create(NAMESPACE, "", {"metadata": {"name": name}}, CONTROLLER)
    for index, name in enumerate(NODES):
        writes.create(NODE, "", _node(name, index), CONTROLLER)


def apply_all(writes: Writes, objects: Iterable[Mapping[str, Any]], *, namespace: str = "") -> None:
    """Put objects in place as `kubectl apply -n` does."""
    options = Options(manager="lab", force=True)
    for value in objects:
        kind = next(
            each for each in KINDS if (each.api_version, each.kind) == (value["apiVersion"], value["kind"])
        )
        metadata = value["metadata"]
        place = metadata.get("namespace", namespace)
        with writes.store.lock:
            writes.patch(kind, place, metadata["name"], dict(value), "application/apply-patch+yaml", options)


class StorePods:
    """`PodApi` on the cluster's own memory."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    def pods(self) -> list[Object]:
        return self._writes.store.list(POD)

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        return self._writes.store.get(SECRET if kind == "Secret" else CONFIG_MAP, namespace, name)

    def bind(self, pod: Object, node: str) -> None:
        with self._writes.store.lock:
            held = self._held(pod)
            if held:
                self._writes.store.put(POD, {**held, "spec": {**held["spec"], "nodeName": node}})

    def set_status(self, pod: Object, status: dict[str, Any]) -> None:
        with self._writes.store.lock:
            self._writes.set_status(POD, pod, status)

    def remove(self, pod: Object) -> None:
        with self._writes.store.lock:
            if self._held(pod):
                self._writes.store.remove(POD, pod)

    def _held(self, pod: Object) -> Object | None:
        metadata = pod["metadata"]
        held = self._writes.store.get(POD, metadata["namespace"], metadata["name"])
        return held if held and held["metadata"]["uid"] == metadata["uid"] else None


def _node(name: str, index: int) -> Object:
    zone = f"us-west-2{'abc'[index % 3]}"
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "arm64",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": zone[:-1],
    }
    size = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"aws:///{zone}/i-{index:017x}"},
        "status": {
            "capacity": size,
            "allocatable": size,
            "nodeInfo": {"kubeletVersion": "v1.31.0-candlefish-lab"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "lab"}],
        },
    }
