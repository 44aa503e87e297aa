"""A real Kubernetes control plane from $KUBEBUILDER_ASSETS: etcd, kube-apiserver, kube-controller-manager.

The binaries are those that envtest uses (`setup-envtest use -p path`), with kube-controller-manager
beside them. Pods run nothing: a stand-in for the nodes plays them (`lab.kube.kubelet`).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.kube.access import Authenticator
from lab.kube.certificates import Authority
from lab.kube.kubelet import Kubelet
from lab.kube.runtime import NullRuntime, Object
from lab.looks import looks
from tests.support.kubernetes.rest import STRATEGIC, Rest
from tests.support.waiting import PATIENCE

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager")
ADMIN_TOKEN = "envtest-admin-0123456789"
# Controllers that need nodes or a cloud.
CONTROLLERS = "*,-nodelifecycle,-nodeipam,-podgc,-route,-service,-cloud-node-lifecycle,-ttl,-attachdetach"


def missing_assets() -> str:
    """Why the real control plane cannot be started; empty when it can."""
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    if not folder:
        return "KUBEBUILDER_ASSETS is not set: the real API server is left out"
    absent = [name for name in BINARIES if not Path(folder, name).exists()]
    return f"KUBEBUILDER_ASSETS={folder} lacks {', '.join(absent)}" if absent else ""


class RealCluster:
    """One control plane in a folder of its own."""

    def __init__(self, folder: Path, authenticate: Authenticator) -> None:
        self._folder, self._assets = folder, Path(os.environ["KUBEBUILDER_ASSETS"])
        self._authority = Authority("envtest")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopping = threading.Event()
        self._hook = _TokenHook(authenticate)
        self.endpoint = ""

    @property
    def ca_pem(self) -> str:
        return self._authority.pem

    def start(self) -> None:
        """Start everything and wait until it serves."""
        etcd, peer, api, manager = _free_ports(4)
        self.endpoint = f"https://127.0.0.1:{api}"
        self._write_credentials()
        self._run(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--log-level=warn",
        )
        self._run_api(etcd, api)
        rest = Rest(self.endpoint, self.ca_pem, ADMIN_TOKEN)
        self._wait(lambda: rest.call("GET", "/readyz")[0] == 200, "the API server to be ready")
        version = rest.must("GET", "/version")
        old = int(version["minor"].rstrip("+")) < 24
        self._run_manager(manager, insecure_port_off=old)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait(lambda: rest.call("GET", account)[0] == 200, "the controllers to work")
        _install_binding_kind(rest)
        bindings = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings"
        self._wait(lambda: rest.call("GET", bindings)[0] == 200, "TargetGroupBindings to be served")
        threading.Thread(target=self._play_pods, daemon=True).start()

    def stop(self) -> None:
        """End everything that `start` started."""
        self._stopping.set()
        self._hook.stop()
        # Nothing of it is kept, so nothing needs to be put in order.
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _run_api(self, etcd: int, port: int) -> None:
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            # No Node needs to reach it; a loopback address would be refused.
            "--advertise-address=10.255.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--cert-dir={self._folder}",
            f"--tls-cert-file={self._folder / 'tls.crt'}",
            f"--tls-private-key-file={self._folder / 'tls.key'}",
            f"--client-ca-file={self._folder / 'ca.crt'}",
            f"--service-account-key-file={self._folder / 'sa.key'}",
            f"--service-account-signing-key-file={self._folder / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.100.0.0/16",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            f"--authentication-token-webhook-config-file={self._folder / 'hook.json'}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=1s",
            "--profiling=false",
        )

    def _run_manager(self, port: int, *, insecure_port_off: bool) -> None:
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self._folder / 'admin.json'}",
            f"--authentication-kubeconfig={self._folder / 'admin.json'}",
            f"--authorization-kubeconfig={self._folder / 'admin.json'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self._folder}",
            "--leader-elect=false",
            f"--service-account-private-key-file={self._folder / 'sa.key'}",
            f"--root-ca-file={self._folder / 'ca.crt'}",
            f"--controllers={CONTROLLERS}",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            *(["--port=0"] if insecure_port_off else []),
        )

    def _run(self, name: str, *arguments: str) -> None:
        with Path(self._folder, f"{name}.log").open("wb") as log:
            process = subprocess.Popen([self._assets / name, *arguments], stdout=log, stderr=log)
        self._processes.append(process)

    def _wait(self, done: Any, what: str) -> None:
        for _ in looks(PATIENCE, every=0.1):
            ended = [process for process in self._processes if process.poll() is not None]
            if ended:
                break
            try:
                if done():
                    return
            except urllib3.exceptions.HTTPError:
                # Nobody listens yet.
                continue
        logs = "\n".join(path.read_text()[-2000:] for path in self._folder.glob("*.log"))
        self.stop()
        raise RuntimeError(f"waited in vain for {what}:\n{logs}")

    def _write_credentials(self) -> None:
        pair = self._authority.issue("kube-apiserver", hosts=("127.0.0.1", "localhost"))
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        files = {
            "ca.crt": self.ca_pem,
            "tls.crt": pair.certificate,
            "tls.key": pair.key,
            "sa.key": pem.decode(),
            "tokens.csv": f'{ADMIN_TOKEN},admin,1,"system:masters"\n',
            "hook.json": _kubeconfig({"server": self._hook.start()}, {}),
            "admin.json": _kubeconfig(
                {"server": self.endpoint, "certificate-authority": str(self._folder / "ca.crt")},
                {"token": ADMIN_TOKEN},
            ),
        }
        for name, text in files.items():
            Path(self._folder, name).write_text(text)

    def _play_pods(self) -> None:
        kubelet = Kubelet(
            _RestPods(Rest(self.endpoint, self.ca_pem, ADMIN_TOKEN)), NullRuntime(), time_scale=0.0
        )
        while not self._stopping.wait(0.05):
            try:
                kubelet.sync()
            except (urllib3.exceptions.HTTPError, AssertionError):
                # Busy, or on its way down: the next look is as good.
                self._stopping.wait(0.2)


class _RestPods:
    """`PodApi` over a real API server. A Pod that changed meanwhile is seen again at the next look."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def pods(self) -> Iterable[Object]:
        found: list[Object] = self._rest.must("GET", "/api/v1/pods")["items"]
        return found

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        status, found = self._rest.call("GET", f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}")
        return found if status == 200 else None

    def bind(self, pod: Object, node: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod["metadata"]["name"]},
            "target": target,
        }
        self._rest.call("POST", f"{_path(pod)}/binding", body)

    def set_status(self, pod: Object, status: dict[str, Any]) -> None:
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        self._rest.call("PATCH", f"{_path(pod)}/status", body, STRATEGIC)

    def remove(self, pod: Object) -> None:
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        self._rest.call("DELETE", _path(pod), body)


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


class _TokenHook:
    """The webhook through which the API server asks who a bearer token is, as on EKS."""

    def __init__(self, authenticate: Authenticator) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                user = authenticate(review["spec"]["token"])
                status: dict[str, Any] = {"authenticated": user is not None}
                if user:
                    status["user"] = {"username": user.name, "uid": user.name, "groups": list(user.groups)}
                body = json.dumps(
                    {"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def start(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _kubeconfig(cluster: dict[str, str], user: dict[str, str]) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def _free_ports(number: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _install_binding_kind(rest: Rest) -> None:
    """The AWS Load Balancer Controller's kind, with the fields that we write."""
    text, number = {"type": "string"}, {"x-kubernetes-int-or-string": True}
    reference = {"type": "object", "required": ["name", "port"], "properties": {"name": text, "port": number}}
    spec = {
        "type": "object",
        "required": ["serviceRef", "targetGroupARN"],
        "properties": {"serviceRef": reference, "targetGroupARN": text, "targetType": text},
    }
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
        },
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "targetgroupbindings.elbv2.k8s.aws"},
        "spec": {
            "group": "elbv2.k8s.aws",
            "names": {
                "kind": "TargetGroupBinding",
                "listKind": "TargetGroupBindingList",
                "plural": "targetgroupbindings",
                "singular": "targetgroupbinding",
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    rest.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
