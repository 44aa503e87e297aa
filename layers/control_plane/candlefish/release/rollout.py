"""Whether a Deployment is up, still coming, or cannot come up, and why.

The structs hold only what the judgement needs of a Deployment and its Pods; an adapter decodes
API JSON straight into them. `judge_rollout` is pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.release.model import Rollout, RolloutStatus
from candlefish.release.pods import Condition, Meta, Pod, PodTrouble, Read, is_dead, worst_trouble


class Template(Read, frozen=True):
    metadata: Meta = Meta()


class Selector(Read, frozen=True):
    match_labels: dict[str, str] = {}


class DeploymentSpec(Read, frozen=True):
    # The API server fills in 1; absent means that it was not asked.
    replicas: int = 1
    selector: Selector = Selector()
    template: Template = Template()


class DeploymentStatus(Read, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Read, frozen=True):
    metadata: Meta = Meta()
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


def why_not_begun(meta: Meta, observed_generation: int, desired: int) -> str:
    """Why a workload cannot be on its way to its newest template yet; empty when it can."""
    if observed_generation < meta.generation:
        return "the cluster has not seen the newest template yet"
    return "" if desired else "scaled to 0, so nothing can become ready; scale it up"


def judge_rollout(deployment: Deployment, pods: Sequence[Pod]) -> Rollout:
    """Say whether the newest template of a Deployment is up, still coming, or cannot come up.

    What waiting cannot mend is called as soon as a Pod of the newest template shows it. Everything else has the
    Deployment's own progress deadline, and then the reason names what the Pods were waiting for.
    """
    status, desired = deployment.status, deployment.spec.replicas
    newest = [pod for pod in pods if _is_newest(pod, deployment)]
    waits = _waits_for(deployment, newest)

    def judged(verdict: RolloutStatus, reason: str, trouble: PodTrouble | None = None) -> Rollout:
        return Rollout(
            status=verdict,
            reason=f"{deployment.metadata.name}: {reason}",
            ready=min(status.updated_replicas, status.available_replicas),
            desired=desired,
            total=status.replicas,
            generation=deployment.metadata.generation,
            observed_generation=status.observed_generation,
            culprit=trouble.culprit if trouble else None,
        )

    if words := why_not_begun(deployment.metadata, status.observed_generation, desired):
        return judged("progressing", words)
    if waits and waits.hopeless:
        return judged("failed", waits.words, waits)
    progress = next((c for c in status.conditions if c.type == "Progressing"), None)
    if progress and progress.reason == "ProgressDeadlineExceeded":
        words = waits.words if waits else "no Pod says why; look at: kubectl describe"
        return judged("failed", f"not ready within its progress deadline: {words}", waits)
    because = f"; {waits.words}" if waits else ""
    if status.updated_replicas < desired:
        return judged(
            "progressing", f"{status.updated_replicas} of {desired} Pods run the newest template{because}"
        )
    if status.replicas > status.updated_replicas:
        return judged(
            "progressing", f"{status.replicas - status.updated_replicas} old Pods are still stopping"
        )
    if status.available_replicas < desired:
        return judged("progressing", f"{status.available_replicas} of {desired} Pods are ready{because}")
    return judged("ready", f"{status.available_replicas} of {desired} Pods are ready")


def _is_newest(pod: Pod, deployment: Deployment) -> bool:
    """Whether a Pod was made from the newest template: it has all the template's labels.

    Every release has its own `candlefish.ai/release` label in the template, so Pods of an older
    template differ in it.
    """
    wanted = deployment.spec.template.metadata.labels
    return pod.metadata.deletion_timestamp is None and wanted.items() <= pod.metadata.labels.items()


def _waits_for(deployment: Deployment, pods: Sequence[Pod]) -> PodTrouble | None:
    """What keeps a rollout from being ready, as far as the cluster tells: what no waiting mends before what may pass,
    the living before the dead."""
    worst = worst_trouble(sorted(pods, key=is_dead))
    if worst and worst.hopeless:
        return worst
    for condition in deployment.status.conditions:
        if condition.type == "ReplicaFailure" and condition.status == "True":
            said = condition.message or condition.reason
            advice = (
                "raise the quota, or lower what the service requests" if "quota" in said else "see its events"
            )
            return PodTrouble(f"the cluster refuses new Pods: {said}; {advice}")
    return worst
