"""Runs the fake cluster's Pods in the data plane (`lab.kube.runtime.PodRuntime`)."""

from __future__ import annotations

from collections.abc import Callable

from lab.kube.runtime import Object, PodState
from lab.traffic.addresses import Addresses
from lab.traffic.behaviour import Version
from lab.traffic.pods import PodSpec, PodStatus
from lab.traffic.process import DataPlaneProcess

_LEAST_PROBE_SECONDS = 0.25
# A Pod with a preStop pause serves at least this long after it was told to stop.
_LEAST_LINGER_SECONDS = 1.5


class DataPlanePods:
    """`version_of` finds a registered version by its digest."""

    def __init__(
        self, process: DataPlaneProcess, version_of: Callable[[str], Version | None], time_scale: float
    ) -> None:
        self._process = process
        self._version_of = version_of
        self._scale = time_scale
        self._addresses = Addresses()
        self._states: dict[str, PodStatus] = {}
        self._told_to_stop: set[str] = set()

    def start(self, pod: Object) -> None:
        """Start the Pod's process."""
        self._process.send("start", self._spec(pod))

    def stop(self, pod: Object, grace_seconds: float) -> None:
        """Ask the process to end."""
        uid = pod["metadata"]["uid"]
        if uid not in self._told_to_stop:
            self._told_to_stop.add(uid)
            self._process.send("stop", uid)

    def stopped(self, pod: Object) -> bool:
        """Whether the process is gone, or never was."""
        status = self._states.get(pod["metadata"]["uid"])
        return status is None or status.stopped

    def address(self, pod: Object) -> str:
        """An address of the loopback network that only this Pod has."""
        return self._addresses.of(pod["metadata"]["uid"])

    def ready(self, pod: Object) -> bool:
        """Whether its readiness probe passed the last time."""
        status = self._states.get(pod["metadata"]["uid"])
        return status is not None and status.ready and not status.stopped

    def state(self, pod: Object) -> PodState:
        """What a kubelet would report."""
        status = self._states.get(pod["metadata"]["uid"])
        if status is None:
            return PodState(waiting="ContainerCreating")
        return PodState(
            status.waiting, status.message, status.restarts, status.exit_code, status.done, log=status.log
        )

    def update(self, status: PodStatus) -> None:
        """Keep what the data plane reports of a Pod."""
        self._states[status.uid] = status

    def close(self) -> None:
        """Leave the network to others."""
        self._addresses.close()

    def _spec(self, pod: Object) -> PodSpec:
        container = pod["spec"]["containers"][0]
        image: str = container["image"]
        reference, _, digest = image.partition("@")
        known = self._version_of(digest)
        probe = container.get("readinessProbe") or {}
        pre_stop = (container.get("lifecycle") or {}).get("preStop")
        pause = float(((pre_stop or {}).get("sleep") or {}).get("seconds") or 0)
        return PodSpec(
            uid=pod["metadata"]["uid"],
            name=pod["metadata"]["name"],
            namespace=pod["metadata"]["namespace"],
            service=known.service if known else reference.rpartition("/")[2].partition(":")[0],
            host=self.address(pod),
            port=int(container["ports"][0]["containerPort"]) if container.get("ports") else 80,
            version=known.version if known else "unknown",
            digest=digest,
            image=image,
            health_path=(probe.get("httpGet") or {}).get("path") or "/",
            probe_period=max(float(probe.get("periodSeconds") or 10) / self._scale, _LEAST_PROBE_SECONDS),
            failure_threshold=int(probe.get("failureThreshold") or 3),
            job=pod["spec"].get("restartPolicy", "Always") != "Always",
            linger=max(pause / self._scale, _LEAST_LINGER_SECONDS) if pre_stop else 0.0,
        )
