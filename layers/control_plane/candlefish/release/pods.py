"""What keeps a Pod from being ready, read as a person reads `kubectl describe`: pure.

Most troubles pass: kubelet pulls again, restarts again, and looks for the Secret again. Those that no waiting mends are
told apart by what kubelet says, so that a rollout fails early for them alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from candlefish.bounds import fit, legible
from candlefish.release.model import Culprit

# A container that has been restarted this often and is down again will not come up by waiting.
CRASHES_TOLERATED = 2
# An init container that fails often waits for something (a database, a migration): kubelet's back-off makes these
# about five minutes.
INIT_CRASHES_TOLERATED = 5
LOG_LINES = 5
_LONGEST_LOG = 400


class Read(msgspec.Struct, frozen=True, rename="camel"):
    """Base of what is read from the API: unknown fields are skipped."""


class Meta(Read, frozen=True):
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    deletion_timestamp: str | None = None


class Condition(Read, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""


class Waiting(Read, frozen=True):
    reason: str = ""
    message: str = ""


class Terminated(Read, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class ContainerState(Read, frozen=True):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Read, frozen=True):
    name: str
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Container(Read, frozen=True):
    name: str
    # `Always` in an init container makes it a sidecar.
    restart_policy: str = ""


class PodSpec(Read, frozen=True):
    init_containers: tuple[Container, ...] = ()


class PodStatus(Read, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Read, frozen=True):
    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTrouble(NamedTuple):
    """What is the matter with a Pod, in words; `hopeless` when waiting does not mend it."""

    words: str
    hopeless: bool = False
    culprit: Culprit | None = None


class _Reason(NamedTuple):
    """A reason that kubelet gives for a container that waits: what it says then, whether that passes, what to do."""

    reason: str
    says: str
    passes: bool
    advice: str


_IMAGE = "check that the digest exists and that the nodes may pull it"
_COMMAND = "check the container's command and mounts"
_REASONS = (
    _Reason("InvalidImageName", "", False, "release a valid image reference"),
    _Reason("ErrImageNeverPull", "", False, "remove imagePullPolicy Never or put the image on the nodes"),
    _Reason(
        "ImagePullBackOff|ErrImagePull",
        r"manifest unknown|name unknown|: not found|does not exist|no match for platform",
        False,
        _IMAGE,
    ),
    _Reason("ImagePullBackOff|ErrImagePull|RegistryUnavailable|ImageInspectError", "", True, _IMAGE),
    _Reason(
        "CreateContainerConfigError",
        r"runAsNonRoot|non-root|non-numeric user",
        False,
        "give the image a numeric user that is not root",
    ),
    _Reason(
        "CreateContainerConfigError", "", True, "check the ConfigMaps and Secrets that the container asks for"
    ),
    _Reason(
        "CreateContainerError|RunContainerError",
        r"executable file not found|exec format error|exec: .*(no such file|permission denied)|no command specified",
        False,
        _COMMAND,
    ),
    _Reason("CreateContainerError|RunContainerError", "", True, _COMMAND),
)
# What an exit code tells (128 + the signal's number where a signal ended it).
_EXITS = {
    0: "it ended by itself, and a service has to go on running",
    126: "its command may not be executed",
    127: "its command was not found",
    134: "it aborted",
    137: "it was killed, for memory or by its liveness probe",
    139: "it broke at an invalid address",
    143: "it was asked to stop, by its liveness probe or its node",
}


def trouble_of(pod: Pod) -> PodTrouble | None:
    """What keeps a Pod from being ready; None when nothing does, as far as it says.

    What no waiting mends comes first, then what comes first in a Pod's life.
    """
    return _worst(_troubles(pod))


def worst_trouble(pods: Iterable[Pod]) -> PodTrouble | None:
    """What keeps Pods from being ready: what no waiting mends comes first, then the first Pod's."""
    return _worst([trouble for pod in pods if (trouble := trouble_of(pod))])


def _worst(troubles: Sequence[PodTrouble]) -> PodTrouble | None:
    return next((each for each in troubles if each.hopeless), troubles[0] if troubles else None)


def is_dead(pod: Pod) -> bool:
    """Whether a Pod has ended for good (evicted, preempted, its node shut down): its ReplicaSet makes another one."""
    return pod.status.phase in ("Failed", "Succeeded")


def _troubles(pod: Pod) -> list[PodTrouble]:
    name, status = pod.metadata.name, pod.status
    if is_dead(pod):
        said = f": {status.message}" if status.message else ""
        return [
            PodTrouble(f"Pod {name} was ended ({status.reason or status.phase}){said}; another one is made")
        ]
    found = []
    for condition in status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            said = condition.message or condition.reason
            advice = "add nodes, or lower what it requests"
            found.append(PodTrouble(f"Pod {name} cannot be scheduled: {said}; {advice}"))
    sidecars = {each.name for each in pod.spec.init_containers if each.restart_policy == "Always"}
    for each in status.init_container_statuses:
        found += _of_container(name, each, "container" if each.name in sidecars else "init container")
    for each in status.container_statuses:
        found += _of_container(name, each, "container")
    if not found and status.phase == "Pending" and not status.container_statuses:
        found.append(PodTrouble(f"Pod {name} is still pending"))
    return found


def _of_container(
    pod: str, status: ContainerStatus, kind: Literal["container", "init container"]
) -> list[PodTrouble]:
    if status.ready:
        return []
    where, waiting = f"{kind} {status.name} of Pod {pod}", status.state.waiting
    for row in _REASONS:
        if waiting and re.fullmatch(row.reason, waiting.reason) and re.search(row.says, waiting.message):
            said = f": {waiting.message}" if waiting.message else ""
            return [PodTrouble(f"{where} is in {waiting.reason}{said}; {row.advice}", not row.passes)]
    looping = waiting is not None and waiting.reason == "CrashLoopBackOff"
    ended = status.state.terminated or (status.last_state.terminated if looping else None)
    if kind == "init container" and ended and not ended.exit_code and not looping:
        return []
    if looping or ended:
        return [_crash(pod, where, status, ended, kind)]
    if waiting and waiting.reason:
        return [PodTrouble(f"{where} is not ready ({waiting.reason})")]
    return [
        PodTrouble(
            f"{where} is not ready; check its health path and its log", culprit=Culprit(pod, status.name)
        )
    ]


def _crash(pod: str, where: str, status: ContainerStatus, ended: Terminated | None, kind: str) -> PodTrouble:
    tolerated = INIT_CRASHES_TOLERATED if kind == "init container" else CRASHES_TOLERATED
    code = "exit code not reported"
    if ended:
        code = f"exit code {ended.exit_code}"
        if ended.reason == "OOMKilled":
            code += ", OOMKilled: it needs more memory than its limit"
        elif says := _EXITS.get(ended.exit_code):
            code += f": {says}"
    times = f"{status.restart_count} restart{'s' * (status.restart_count != 1)}"
    words = f"{where} crashes: {code}; {times}"
    # Kubelet keeps the end of the log there, where the Pod asks for it (FallbackToLogsOnError).
    if ended and (tail := log_tail(ended.message)):
        return PodTrouble(f"{words}; its last words: {tail}", status.restart_count >= tolerated)
    culprit = Culprit(pod, status.name, previous=status.state.terminated is None)
    return PodTrouble(words, status.restart_count >= tolerated, culprit)


def log_tail(text: str) -> str:
    """The last lines of a log as one line of a message; empty when there are none."""
    lines = [legible(line).strip() for line in text.splitlines()]
    return fit(" | ".join([line for line in lines if line][-LOG_LINES:]), _LONGEST_LOG)
