"""Plays the nodes: takes Pods, runs them through a `PodRuntime`, reports, and lets them go.

Works on any API through `PodApi`, so that tests can play the same Pods on a real API server.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from lab.kube.lacking import lacking
from lab.kube.runtime import Object, PodRuntime, PodState
from lab.kube.writes import timestamp

NODES = ("ip-10-0-1-10.us-west-2.compute.internal", "ip-10-0-2-10.us-west-2.compute.internal")
_TIMES = ("lastTransitionTime", "startTime", "startedAt", "finishedAt")


class PodApi(Protocol):
    """What a kubelet and the scheduler do to Pods."""

    def pods(self) -> Iterable[Object]:
        """Every Pod."""

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """A Secret or ConfigMap, None where there is none."""

    def bind(self, pod: Object, node: str) -> None:
        """Give a Pod its node."""

    def set_status(self, pod: Object, status: dict[str, Any]) -> None:
        """Report a Pod's state."""

    def remove(self, pod: Object) -> None:
        """Take a Pod that has ended away."""


class Kubelet:
    """All nodes at once. `time_scale` shortens the times that Pods ask for (preStop, grace)."""

    def __init__(
        self,
        api: PodApi,
        runtime: PodRuntime,
        *,
        time_scale: float = 1.0,
        nodes: tuple[str, ...] = NODES,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._api, self._runtime, self._scale = api, runtime, time_scale
        self._monotonic, self._now = monotonic, now
        self._next_node = itertools.cycle(nodes)
        self._started: set[str] = set()
        # What was reported of a Pod, by uid, with the version of the object that says so.
        self._reported: dict[str, tuple[str, PodState, bool, str]] = {}
        # When a Pod's preStop ends, by uid; None once the process was told to stop.
        self._stopping: dict[str, float | None] = {}

    def sync(self) -> None:
        """Take every Pod one step further."""
        seen = set()
        for pod in self._api.pods():
            seen.add(pod["metadata"]["uid"])
            if "deletionTimestamp" in pod["metadata"]:
                self._stop(pod)
            elif "nodeName" not in pod["spec"]:
                self._schedule(pod)
            elif (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                self._run(pod)
        self._started &= seen
        self._reported = {uid: known for uid, known in self._reported.items() if uid in seen}
        self._stopping = {uid: at for uid, at in self._stopping.items() if uid in seen}

    def due(self) -> float | None:
        """When the next preStop hook ends, by the kubelet's monotonic clock; None when none runs."""
        return min((at for at in self._stopping.values() if at is not None), default=None)

    def _schedule(self, pod: Object) -> None:
        why = self._runtime.state(pod).unschedulable
        if not why:
            self._api.bind(pod, next(self._next_node))
            return
        scheduled = _condition("PodScheduled", False, "Unschedulable", why)
        self._report(pod, {"phase": "Pending", "conditions": [scheduled]})

    def _run(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._started:
            reason, message = lacking(pod, self._api.find)
            if reason:
                waiting = PodState(waiting=reason, message=message)
                self._report(pod, pod_status(pod, waiting, ready=False, host=""))
                return
            self._started.add(uid)
            self._runtime.start(pod)
        state = self._runtime.state(pod)
        ready = not state.waiting and not state.done and self._runtime.ready(pod)
        host = _host(self._runtime.address(pod))
        known = pod["metadata"].get("resourceVersion", ""), state, ready, host
        if known[0] and self._reported.get(uid) == known:
            return
        self._report(pod, pod_status(pod, state, ready=ready, host=host))
        self._reported[uid] = known

    def _stop(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._started:
            self._api.remove(pod)
            return
        now = self._monotonic()
        delay = pre_stop_seconds(pod)
        if uid not in self._stopping:
            self._stopping[uid] = now + delay * self._scale
        at = self._stopping[uid]
        if at is not None and now >= at:
            left = pod["metadata"].get("deletionGracePeriodSeconds", 30) - delay
            self._runtime.stop(pod, max(0.0, left * self._scale))
            self._stopping[uid] = None
        if self._stopping[uid] is None and self._runtime.stopped(pod):
            self._api.remove(pod)

    def _report(self, pod: Object, status: dict[str, Any]) -> None:
        before = pod.get("status") or {}
        if _timeless(status) == _timeless(before):
            return
        stamp = timestamp(self._now())
        known = {each["type"]: each for each in before.get("conditions") or []}
        for each in status["conditions"]:
            old = known.get(each["type"])
            same = old is not None and old["status"] == each["status"]
            each["lastTransitionTime"] = old["lastTransitionTime"] if old and same else stamp
        status["startTime"] = before.get("startTime", stamp)
        self._api.set_status(pod, _stamped(status, stamp))


def pre_stop_seconds(pod: Object) -> float:
    """How long a Pod keeps serving after it was told to go: its longest preStop sleep."""
    longest = 0.0
    for container in pod["spec"]["containers"]:
        hook = (container.get("lifecycle") or {}).get("preStop") or {}
        command = (hook.get("exec") or {}).get("command") or []
        if "sleep" in hook:
            longest = max(longest, float(hook["sleep"]["seconds"]))
        elif len(command) == 2 and command[0].endswith("sleep"):
            longest = max(longest, float(command[1]))
    return longest


def pod_status(pod: Object, state: PodState, *, ready: bool, host: str) -> dict[str, Any]:
    """The status of a Pod that has a node. Times are filled in when it is reported."""
    phase = "Running"
    if state.done:
        phase = "Failed" if state.exit_code else "Succeeded"
    elif state.waiting and not state.restarts:
        phase = "Pending"
    why = "PodCompleted" if phase == "Succeeded" else "" if ready else "ContainersNotReady"
    status = {
        "phase": phase,
        "hostIP": "10.0.1.10",
        "conditions": [
            _condition("Initialized", True),
            _condition("Ready", ready, why),
            _condition("ContainersReady", ready, why),
            _condition("PodScheduled", True),
        ],
        "containerStatuses": [_container(each, state, ready) for each in pod["spec"]["containers"]],
    }
    if not state.waiting or state.restarts:
        status |= {"podIP": host, "podIPs": [{"ip": host}]}
    return status


def _container(container: dict[str, Any], state: PodState, ready: bool) -> dict[str, Any]:
    ended = {"exitCode": state.exit_code or 0, "reason": "Error" if state.exit_code else "Completed"}
    if state.exit_code and state.log and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        ended["message"] = state.log
    if state.done:
        now: dict[str, Any] = {"terminated": ended}
    elif state.waiting:
        now = {"waiting": {"reason": state.waiting, "message": state.message}}
    else:
        now = {"running": {}}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": container["image"],
        "ready": ready,
        "started": ready,
        "restartCount": state.restarts,
        "state": now,
        "lastState": {"terminated": ended} if state.restarts and state.exit_code is not None else {},
    }


def _condition(kind: str, status: bool, reason: str = "", message: str = "") -> dict[str, Any]:
    made = {"type": kind, "status": str(status), "reason": reason, "message": message}
    return {key: value for key, value in made.items() if value}


def _host(address: str) -> str:
    return address.partition(":")[0]


def _timeless(value: Any) -> Any:
    """A status without its times, to see whether anything else differs."""
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if key not in _TIMES and part is not None}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def _stamped(status: dict[str, Any], stamp: str) -> dict[str, Any]:
    for each in status.get("containerStatuses") or []:
        for state in (each["state"], each["lastState"]):
            if "running" in state:
                state["running"] = {"startedAt": stamp}
            if "terminated" in state:
                state["terminated"] = {**state["terminated"], "startedAt": stamp, "finishedAt": stamp}
    return status
