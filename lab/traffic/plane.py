"""The lab's side of the data plane: starts its process, hands it configuration and Pods, takes its reports.

`Traffic` is also what runs the fake cluster's Pods (`lab.kube.runtime.PodRuntime`).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec

from lab import ROOT
from lab.functions import worker
from lab.kube.runtime import Object, PodState
from lab.moto import ACCOUNT, metrics
from lab.moto.elbv2 import Balancers
from lab.traffic.behaviour import BEHAVIOURS, Behaviour, Version, version
from lab.traffic.dataplane import Settings
from lab.traffic.pods import PodSpec, PodStatus

LOG = logging.getLogger("lab")
_NAMESPACE = "AWS/ApplicationELB"
_LOOK_SECONDS = 0.05
_LEAST_PROBE_SECONDS = 0.25
# A Pod with a preStop pause serves at least this long after it was told to stop.
_LEAST_LINGER_SECONDS = 1.5

# A lab claims its part of the loopback network by listening here.
_CLAIM_PORT = 47001


class Traffic:
    """Runs the data plane, feeds it moto's configuration and CloudWatch its counts."""

    def __init__(self, time_scale: float, propagation: float = 0.2) -> None:
        self._scale = time_scale
        self.balancers = Balancers(time_scale)
        self.balancers.install()
        self._lock = threading.Lock()
        self._network, self._claim = _own_network()
        self._addresses: dict[str, str] = {}
        self._states: dict[str, PodStatus] = {}
        self._stopped_pods: set[str] = set()
        self._versions: dict[str, Version] = {}
        self._stopped = threading.Event()
        self._regions: dict[str, str] = {}
        # Listener ARN -> port on 127.0.0.1.
        self.ports: dict[str, int] = {}
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.traffic.dataplane", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self._connection = ours
        settings = Settings(propagation=propagation, period=max(60 / time_scale, 1.0))
        self._frame(settings)

    def start(self) -> None:
        """Feed and listen in the background."""
        threading.Thread(target=self._listen, name="dataplane-reports", daemon=True).start()
        threading.Thread(target=self._feed, name="dataplane-config", daemon=True).start()

    def close(self) -> None:
        """End the data plane."""
        self._stopped.set()
        self._claim.close()
        self._connection.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def freeze(self, seconds: float) -> None:
        """Hold the data plane still, as a machine does that is far too busy."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    # --- listeners -----------------------------------------------------------------------------

    def listen(self, listener: str, port: int = 0) -> int:
        """Serve a listener on a port of 127.0.0.1 (a free one for 0); the port."""
        if port == 0:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.ports[listener] = port
        self._send("ports", {listener: port})
        return port

    def _feed(self) -> None:
        last = None
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                config = self.balancers.config()
            except Exception:
                LOG.exception("the load balancer's configuration could not be read")
                continue
            if config != last:
                last = config
                self._regions = {listener.load_balancer: listener.region for listener in config.listeners}
                self._send("config", config)

    # --- versions --------------------------------------------------------------------------------

    def register(self, service: str, name: str, behaviour: str | Behaviour = "good") -> Version:
        """Put a version of a service in the registry, or change what it does from now on."""
        made = version(service, name, behaviour)
        self._versions[made.digest] = made
        self._send("behaviours", {made.digest: made.behaviour})
        return made

    def versions(self) -> list[Version]:
        """The registry."""
        return list(self._versions.values())

    # --- lab.kube.runtime.PodRuntime ---------------------------------------------------------------

    def start_pod(self, pod: Object) -> None:
        """Start the Pod's process."""
        container = pod["spec"]["containers"][0]
        image: str = container["image"]
        digest = image.partition("@")[2]
        known = self._versions.get(digest)
        probe = container.get("readinessProbe") or {}
        lifecycle = (container.get("lifecycle") or {}).get("preStop")
        pause = float(((lifecycle or {}).get("sleep") or {}).get("seconds") or 0)
        repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
        spec = PodSpec(
            uid=pod["metadata"]["uid"],
            name=pod["metadata"]["name"],
            namespace=pod["metadata"]["namespace"],
            service=known.service if known else repository,
            host=self.address(pod).partition(":")[0],
            port=int(container["ports"][0]["containerPort"]) if container.get("ports") else 80,
            version=known.version if known else "unknown",
            digest=digest,
            image=image,
            health_path=(probe.get("httpGet") or {}).get("path") or "/",
            probe_period=max(float(probe.get("periodSeconds") or 10) / self._scale, _LEAST_PROBE_SECONDS),
            failure_threshold=int(probe.get("failureThreshold") or 3),
            linger=max(pause / self._scale, _LEAST_LINGER_SECONDS) if lifecycle else 0.0,
        )
        self._send("start", spec)

    def stop(self, pod: Object, grace_seconds: float) -> None:
        """Ask the process to end."""
        uid = pod["metadata"]["uid"]
        if uid not in self._stopped_pods:
            self._stopped_pods.add(uid)
            self._send("stop", uid)

    def stopped(self, pod: Object) -> bool:
        """Whether the process is gone, or never was."""
        status = self._states.get(pod["metadata"]["uid"])
        return status is None or status.stopped

    def address(self, pod: Object) -> str:
        """An address of the loopback network that only this Pod has."""
        uid = pod["metadata"]["uid"]
        with self._lock:
            serial = len(self._addresses) + 1
            return self._addresses.setdefault(uid, f"{self._network}.{serial // 250}.{serial % 250 + 1}")

    def ready(self, pod: Object) -> bool:
        """Whether its readiness probe passed the last time."""
        status = self._states.get(pod["metadata"]["uid"])
        return status is not None and status.ready and not status.stopped

    def state(self, pod: Object) -> PodState:
        """What a kubelet would report."""
        status = self._states.get(pod["metadata"]["uid"])
        if status is None:
            return PodState(waiting="ContainerCreating")
        return PodState(status.waiting, status.message, status.restarts, status.exit_code)

    # --- reports -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                message = worker.receive(self._connection)
            except OSError:
                message = None
            if message is None:
                if not self._stopped.is_set():
                    LOG.error("the data plane ended; there is no traffic any more")
                return
            kind, value = message["kind"], message["value"]
            if kind == "health":
                self.balancers.set_health({arn: [tuple(row) for row in rows] for arn, rows in value.items()})
            elif kind == "pod":
                status = msgspec.convert(value, PodStatus)
                self._states[status.uid] = status
            elif kind == "counts":
                self._store(value)

    def _store(self, value: dict[str, Any]) -> None:
        at = value["at"]
        for row in value["groups"]:
            counts = row["counts"]
            self._put(row, at, "RequestCount", Value=counts["requests"])
            for kind, number in counts["by_class"].items():
                self._put(row, at, f"HTTPCode_Target_{kind}_Count", Value=number)
            if counts["elb_5xx"]:
                self._put(row, at, "HTTPCode_ELB_5XX_Count", Value=counts["elb_5xx"])
            if counts["connection_errors"]:
                self._put(row, at, "TargetConnectionErrorCount", Value=counts["connection_errors"])
            if counts["times"]:
                times = sorted((float(seconds), number) for seconds, number in counts["times"].items())
                values, numbers = [t for t, _ in times], [n for _, n in times]
                self._put(row, at, "TargetResponseTime", Values=values, Counts=numbers)
        for row in value["hosts"]:
            self._put(row, at, "HealthyHostCount", Value=row["healthy"])
            self._put(row, at, "UnHealthyHostCount", Value=row["unhealthy"])
        for region in set(self._regions.values()):
            metrics.store(ACCOUNT, region).complete(_NAMESPACE, value["until"])

    def _put(self, row: dict[str, Any], at: float, name: str, **data: Any) -> None:
        """Report a metric under the load balancer, and under the load balancer and the group."""
        if data.get("Value") == 0 and not name.endswith("HostCount"):
            # An ALB reports no zero counts.
            return
        balancer = {"Name": "LoadBalancer", "Value": row["balancer"]}
        store = metrics.store(ACCOUNT, self._regions.get(row["balancer"], "us-west-2"))
        group = {"Name": "TargetGroup", "Value": row["group"].rsplit(":", 1)[-1]}
        dimensions = [[balancer]] if not name.endswith("HostCount") else []
        if row["group"]:
            dimensions.append([group, balancer])
        for chosen in dimensions:
            datum = {"MetricName": name, "Dimensions": chosen, "Timestamp": at, **data}
            store.put(_NAMESPACE, datum, time.time())

    def _send(self, kind: str, value: Any) -> None:
        self._frame({"kind": kind, "value": value})

    def _frame(self, message: Any) -> None:
        data = msgspec.json.encode(message)
        with self._lock:
            self._connection.sendall(struct.pack(">I", len(data)) + data)


class Pods:
    """`Traffic` under the names that `lab.kube.runtime.PodRuntime` asks for."""

    def __init__(self, traffic: Traffic) -> None:
        self.start = traffic.start_pod
        self.stop = traffic.stop
        self.stopped = traffic.stopped
        self.address = traffic.address
        self.ready = traffic.ready
        self.state = traffic.state


def known_behaviours() -> list[str]:
    """The names that `Traffic.register` takes."""
    return list(BEHAVIOURS)


def _own_network() -> tuple[str, socket.socket]:
    """A /16 of the loopback network that no other lab on this machine uses, and the socket that claims it.

    Raises
    ------
    RuntimeError
        Every one is taken.
    """
    for second in range(64, 250):
        claim = socket.socket()
        try:
            claim.bind((f"127.{second}.255.254", _CLAIM_PORT))
            claim.listen()
        except OSError:
            claim.close()
            continue
        return f"127.{second}", claim
    raise RuntimeError("186 labs run on this machine already; end one")
