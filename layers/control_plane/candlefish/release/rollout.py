"""Whether a Deployment is up, still coming, or cannot come up, and why.

The structs hold only what the judgement needs of a Deployment and its Pods; an adapter decodes
API JSON straight into them. `judge_rollout` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from candlefish.release.model import Rollout, RolloutStatus

# A container that has been restarted this often and is down again will not come up by waiting.
CRASHES_TOLERATED = 2
# Waiting reasons that no amount of waiting mends (kubelet's names), with what to do about them.
HOPELESS = {
    "ImagePullBackOff": "check that the digest exists and that the nodes may pull it",
    "InvalidImageName": "release a valid image reference",
    "ErrImageNeverPull": "remove imagePullPolicy Never or put the image on the nodes",
    "CreateContainerConfigError": "check the ConfigMaps, Secrets and user that the container asks for",
    "CreateContainerError": "check the container's command and mounts",
    "RunContainerError": "check the container's command and mounts",
}


class _Read(msgspec.Struct, frozen=True, rename="camel"):
    """Base of what is read from the API: unknown fields are skipped."""


class Meta(_Read, frozen=True):
    name: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    deletion_timestamp: str | None = None


class Condition(_Read, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""


class Template(_Read, frozen=True):
    metadata: Meta = Meta()


class Selector(_Read, frozen=True):
    match_labels: dict[str, str] = {}


class DeploymentSpec(_Read, frozen=True):
    # The API server fills in 1; absent means that it was not asked.
    replicas: int = 1
    selector: Selector = Selector()
    template: Template = Template()


class DeploymentStatus(_Read, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(_Read, frozen=True):
    metadata: Meta = Meta()
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class Waiting(_Read, frozen=True):
    reason: str = ""
    message: str = ""


class Terminated(_Read, frozen=True):
    exit_code: int = 0
    reason: str = ""


class ContainerState(_Read, frozen=True):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Read, frozen=True):
    name: str
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(_Read, frozen=True):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(_Read, frozen=True):
    metadata: Meta = Meta()
    status: PodStatus = PodStatus()


def judge_rollout(deployment: Deployment, pods: Iterable[Pod]) -> Rollout:
    """Say whether the newest template of a Deployment is up, still coming, or cannot come up.

    Failures that waiting cannot mend (image, crash loop, container configuration) are called as
    soon as a Pod of the newest template shows them. Everything else has the Deployment's own
    progress deadline, and then the reason names what the Pods were waiting for.
    """
    status, desired = deployment.status, deployment.spec.replicas
    newest = [pod for pod in pods if _is_newest(pod, deployment)]

    def judged(verdict: RolloutStatus, reason: str) -> Rollout:
        return Rollout(
            status=verdict,
            reason=f"{deployment.metadata.name}: {reason}",
            ready=min(status.updated_replicas, status.available_replicas),
            desired=desired,
            total=status.replicas,
            generation=deployment.metadata.generation,
            observed_generation=status.observed_generation,
        )

    if status.observed_generation < deployment.metadata.generation:
        return judged("progressing", "the cluster has not seen the newest template yet")
    if desired == 0:
        return judged("progressing", "scaled to 0, so nothing can become ready; scale it up")
    for pod in newest:
        if hopeless := why_hopeless(pod):
            return judged("failed", hopeless)
    conditions = {condition.type: condition for condition in status.conditions}
    if (progress := conditions.get("Progressing")) and progress.reason == "ProgressDeadlineExceeded":
        waiting = _waiting_for(conditions, newest) or "no Pod says why"
        advice = "check its health path and log" if "is not ready" in waiting else "look at: kubectl describe"
        return judged("failed", f"not ready within its progress deadline: {waiting}; {advice}")
    if status.updated_replicas < desired:
        return judged(
            "progressing",
            f"{status.updated_replicas} of {desired} Pods run the newest template"
            + _because(_waiting_for(conditions, newest)),
        )
    if status.replicas > status.updated_replicas:
        return judged(
            "progressing", f"{status.replicas - status.updated_replicas} old Pods are still stopping"
        )
    if status.available_replicas < desired:
        return judged(
            "progressing",
            f"{status.available_replicas} of {desired} Pods are ready"
            + _because(_waiting_for(conditions, newest)),
        )
    return judged("ready", f"{status.available_replicas} of {desired} Pods are ready")


def why_hopeless(pod: Pod) -> str:
    """Why a Pod cannot become ready however long one waits; empty when it may."""
    for container in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting, where = (container.state.waiting, f"container {container.name} of Pod {pod.metadata.name}")
        if waiting and waiting.reason in HOPELESS:
            detail = f": {waiting.message}" if waiting.message else ""
            return f"{where} is in {waiting.reason}{detail}; {HOPELESS[waiting.reason]}"
        down = (
            bool(waiting and waiting.reason == "CrashLoopBackOff") or container.state.terminated is not None
        )
        looping = waiting is not None and waiting.reason == "CrashLoopBackOff"
        if down and (looping or container.restart_count >= CRASHES_TOLERATED):
            ended = container.state.terminated or container.last_state.terminated
            code = f"exit code {ended.exit_code}" if ended else "exit code not reported"
            why = f" ({ended.reason})" if ended and ended.reason not in ("", "Error") else ""
            times = f"{container.restart_count} restart{'s' * (container.restart_count != 1)}"
            return f"{where} crashes on start: {code}{why}, {times}; read its log"
    return ""


def _is_newest(pod: Pod, deployment: Deployment) -> bool:
    """Whether a Pod was made from the newest template: it has all the template's labels.

    Every release has its own `candlefish.ai/release` label in the template, so Pods of an older
    template differ in it.
    """
    wanted = deployment.spec.template.metadata.labels
    return pod.metadata.deletion_timestamp is None and wanted.items() <= pod.metadata.labels.items()


def _blocked(conditions: dict[str, Condition], pods: list[Pod]) -> str:
    """What keeps Pods from being created or scheduled; empty when nothing does."""
    if (failure := conditions.get("ReplicaFailure")) and failure.status == "True":
        return f"the cluster refuses new Pods: {failure.message or failure.reason}"
    for pod in pods:
        for condition in pod.status.conditions:
            if condition.type == "PodScheduled" and condition.status == "False":
                return f"Pod {pod.metadata.name} cannot be scheduled: {condition.message or condition.reason}"
    return ""


def _not_ready(pods: list[Pod]) -> str:
    """Which container is not ready; empty when all are."""
    for pod in pods:
        for container in pod.status.container_statuses:
            if not container.ready:
                state = container.state.waiting
                detail = f" ({state.reason})" if state and state.reason else ""
                return f"container {container.name} of Pod {pod.metadata.name} is not ready{detail}"
        if pod.status.phase == "Pending" and not pod.status.container_statuses:
            return f"Pod {pod.metadata.name} is still pending"
    return ""


def _waiting_for(conditions: dict[str, Condition], pods: list[Pod]) -> str:
    """What keeps a rollout from being ready, as far as the Pods tell."""
    return _blocked(conditions, pods) or _not_ready(pods)


def _because(why: str) -> str:
    return f"; {why}" if why else ""
