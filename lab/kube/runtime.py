"""What runs a Pod in the lab. The fake cluster decides that a Pod shall run; a `PodRuntime` runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

# A Kubernetes object as the API holds it.
Object = dict[str, Any]


class PodState(msgspec.Struct, frozen=True):
    """What a kubelet would report of the Pod's containers.

    `waiting` is the kubelet's reason for not running (`ImagePullBackOff`, `CrashLoopBackOff`, ...),
    empty when it runs. `exit_code` is how the last run ended, None if none has ended.
    `done` says that it will not be started again (a Job's Pod).
    """

    waiting: str = ""
    message: str = ""
    restarts: int = 0
    exit_code: int | None = None
    done: bool = False
    # Why no node takes the Pod; empty when it has one.
    unschedulable: str = ""
    # What it has written to its log.
    log: str = ""


def unpullable(image: str) -> PodState:
    """The state of a Pod whose image is in no registry, as kubelet and containerd tell it."""
    why = f'ErrImagePull: failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
    return PodState(waiting="ImagePullBackOff", message=f'Back-off pulling image "{image}": {why}')


class PodRuntime(Protocol):
    """Runs Pods. Called from one thread, often; no call may wait for the process."""

    def start(self, pod: Object) -> None:
        """Start the Pod's process. Called once per Pod (`metadata.uid`)."""

    def stop(self, pod: Object, grace_seconds: float) -> None:
        """Ask the process to end, and end it after the grace. Returns at once; may be repeated."""

    def stopped(self, pod: Object) -> bool:
        """Whether the process is gone (or never was)."""

    def address(self, pod: Object) -> str:
        """`host` or `host:port` where the service listens; the container's port when none is given."""

    def ready(self, pod: Object) -> bool:
        """Whether its readiness probe passes now."""

    def state(self, pod: Object) -> PodState:
        """What a kubelet would report now."""


class TargetRegistrar(Protocol):
    """What the AWS Load Balancer Controller does with a target group."""

    def __call__(self, target_group: str, targets: frozenset[tuple[str, int]]) -> None:
        """Make these (host, port) the registered targets: register new ones, deregister others.

        Called again with the same set until it returns without an error.
        """


# What an image's tag makes a Pod of `NullRuntime` do.
STATES = {
    "bad": unpullable("{image}"),
    "crash": PodState(
        waiting="CrashLoopBackOff",
        message="back-off 40s restarting failed container",
        restarts=3,
        exit_code=1,
        log="reading configuration\nno DATABASE_URL\n",
    ),
    "notready": PodState(),
    "pending": PodState(unschedulable="0/2 nodes are available: 2 Insufficient cpu."),
    "fail": PodState(exit_code=1, done=True),
}
MODE_NOTE = "lab.candlefish.ai/mode"


class NullRuntime:
    """Runs nothing and plays each Pod as its image's tag says; any other tag becomes ready."""

    def __init__(self, *, delay: float = 0.05, now: Callable[[], float] = time.monotonic) -> None:
        self._delay, self._now = delay, now
        self._started: dict[str, float] = {}
        self._stopped: set[str] = set()
        self._addresses: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self, pod: Object) -> None:
        self._started[pod["metadata"]["uid"]] = self._now()

    def stop(self, pod: Object, grace_seconds: float) -> None:
        self._stopped.add(pod["metadata"]["uid"])

    def stopped(self, pod: Object) -> bool:
        uid = pod["metadata"]["uid"]
        return uid in self._stopped or uid not in self._started

    def address(self, pod: Object) -> str:
        with self._lock:
            serial = len(self._addresses) + 2
            return self._addresses.setdefault(
                pod["metadata"]["uid"], f"10.244.{serial // 250}.{serial % 250 + 1}"
            )

    def ready(self, pod: Object) -> bool:
        return mode(pod) == "" and self._up(pod)

    def state(self, pod: Object) -> PodState:
        known = STATES.get(mode(pod), PodState())
        if not self._up(pod) and not known.unschedulable:
            return PodState(waiting="ContainerCreating")
        if mode(pod) == "" and pod["spec"].get("restartPolicy", "Always") != "Always":
            return PodState(exit_code=0, done=True)
        if "{image}" in known.message:
            image = pod["spec"]["containers"][0]["image"]
            return msgspec.structs.replace(known, message=known.message.format(image=image))
        return known

    def _up(self, pod: Object) -> bool:
        started = self._started.get(pod["metadata"]["uid"])
        return started is not None and self._now() - started >= self._delay


def mode(pod: Object) -> str:
    """How `NullRuntime` plays a Pod: by annotation, else by the tag of one of its images."""
    noted = (pod["metadata"].get("annotations") or {}).get(MODE_NOTE)
    tags = [tag(container["image"]) for container in pod["spec"]["containers"]]
    return noted or next((each for each in tags if each in STATES), "")


def tag(image: str) -> str:
    """The tag of an image reference; a digest may follow it."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]
