"""How far a StatefulSet is with its newest template, and which Pod it would wait for for ever. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.release.manifests.model import RELEASE_LABEL
from candlefish.release.model import Rollout, RolloutStatus
from candlefish.release.pods import Meta, Pod, PodTrouble, Read, is_dead, trouble_of, worst_trouble
from candlefish.release.rollout import Template, why_not_begun

# The label by which the controller says which template a Pod was made from.
REVISION_LABEL = "controller-revision-hash"


class RollingUpdate(Read, frozen=True):
    partition: int = 0


class UpdateStrategy(Read, frozen=True):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class Ordinals(Read, frozen=True):
    start: int = 0


class StatefulSetSpec(Read, frozen=True):
    replicas: int = 1
    update_strategy: UpdateStrategy = UpdateStrategy()
    template: Template = Template()
    ordinals: Ordinals | None = None


class StatefulSetStatus(Read, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    # Older API servers do not say it.
    available_replicas: int | None = None
    current_revision: str = ""
    update_revision: str = ""

    @property
    def available(self) -> int:
        """How many Pods can be counted on."""
        return self.ready_replicas if self.available_replicas is None else self.available_replicas


class StatefulSet(Read, frozen=True):
    metadata: Meta = Meta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


def judge_stateful(found: StatefulSet, pods: Sequence[Pod]) -> Rollout:
    """Whether the newest template of a StatefulSet is up, still coming, or cannot come up.

    Pods are replaced from the highest number down, each when the one before is ready: the first that is not as it
    should be is what everything waits for. A StatefulSet has no deadline of its own; the release's step has.
    """
    status, desired, name = found.status, found.spec.replicas, found.metadata.name
    mine = [pod for pod in pods if _ordinal(pod, name) is not None]
    newest = [pod for pod in mine if _is_newest(pod, found) and not pod.metadata.deletion_timestamp]
    available = status.available
    waits = _waits_for(newest, name)

    def judged(
        verdict: RolloutStatus, reason: str, trouble: PodTrouble | None = None, *, hindered: bool = False
    ) -> Rollout:
        return Rollout(
            status=verdict,
            reason=f"{name}: {reason}",
            ready=min(status.updated_replicas, available),
            desired=desired,
            total=status.replicas,
            generation=found.metadata.generation,
            observed_generation=status.observed_generation,
            culprit=trouble.culprit if trouble else None,
            hindered=hindered,
        )

    if words := why_not_begun(found.metadata, status.observed_generation, desired):
        return judged("progressing", words)
    if waits and waits.hopeless:
        return judged("failed", waits.words, waits)
    because = f"; {waits.words}" if waits else ""
    if kept := _kept_back(found.spec, desired):
        return judged("progressing", kept, hindered=True)
    numbers = _numbers(found.spec, desired)
    there = {_ordinal(pod, name): pod for pod in newest}
    if left := [number for number in numbers if number not in there]:
        # From the highest number down: that one is next, or is what stands in the way.
        old = {_ordinal(pod, name): pod for pod in mine}
        blocked = next((_stuck_words(old[n]) for n in left[::-1] if n in old and _is_stuck(old[n])), "")
        words = (
            f"{len(numbers) - len(left)} of {desired} Pods run the newest template, next is {name}-{left[-1]}"
        )
        return judged("progressing", f"{words}{because}{blocked}", hindered=bool(blocked and not waits))
    if status.updated_replicas < desired:
        return judged(
            "progressing", f"{status.updated_replicas} of {desired} Pods are counted as updated{because}"
        )
    if status.replicas > desired:
        return judged("progressing", f"{status.replicas - desired} Pods too many are still stopping")
    if min(available, status.ready_replicas) < desired:
        return judged(
            "progressing", f"{min(available, status.ready_replicas)} of {desired} Pods are ready{because}"
        )
    return judged("ready", f"{available} of {desired} Pods are ready")


def stuck_pod(found: StatefulSet, pods: Sequence[Pod]) -> Pod | None:
    """The Pod that Kubernetes will never replace: of another release than the newest template, and not ready.

    A StatefulSet waits until each Pod is ready before it replaces one, and that Pod never is, whatever the template
    says by now (kubernetes.io, StatefulSets, Forced rollback). None while a Pod is going, or the newest template was
    not seen. A Pod of the release that comes back, of another template all the same, is no broken version's: it may be
    starting on another node, and is waited for.
    """
    release = found.spec.template.metadata.labels.get(RELEASE_LABEL)
    name = found.metadata.name
    mine = [pod for pod in pods if _ordinal(pod, name) is not None]
    if found.status.observed_generation < found.metadata.generation or not found.status.update_revision:
        return None
    if any(pod.metadata.deletion_timestamp for pod in mine):
        return None
    left = [
        pod
        for pod in mine
        if not _is_newest(pod, found) and _is_stuck(pod) and pod.metadata.labels.get(RELEASE_LABEL) != release
    ]
    return max(left, key=lambda pod: _ordinal(pod, name) or 0, default=None)


def _is_newest(pod: Pod, found: StatefulSet) -> bool:
    return pod.metadata.labels.get(REVISION_LABEL) == found.status.update_revision


def _is_stuck(pod: Pod) -> bool:
    ready = any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
    return not ready and not pod.metadata.deletion_timestamp


def _stuck_words(pod: Pod) -> str:
    trouble = trouble_of(pod)
    said = f" ({trouble.words})" if trouble else ""
    return (
        f"; Pod {pod.metadata.name} is of a template before and not ready{said}: Kubernetes waits for it and does not "
        f"replace it; see that it gets ready, or: kubectl delete pod {pod.metadata.name}"
    )


def _kept_back(spec: StatefulSetSpec, desired: int) -> str:
    """What of its update strategy keeps Pods of the version before; empty when nothing does."""
    if spec.update_strategy.type != "RollingUpdate":
        return f"its updateStrategy is {spec.update_strategy.type}, which replaces no Pods; release again"
    rolling = spec.update_strategy.rolling_update
    first = spec.ordinals.start if spec.ordinals else 0
    if rolling and rolling.partition > first:
        return (
            f"partition {rolling.partition} keeps Pods of smaller numbers ({min(rolling.partition - first, desired)} of "
            f"{desired}) at the version before; somebody set it: set it to 0"
        )
    return ""


def _waits_for(pods: Sequence[Pod], name: str) -> PodTrouble | None:
    """What keeps the newest Pods from being ready: what no waiting mends first, then the highest number."""
    return worst_trouble(sorted(pods, key=lambda pod: (is_dead(pod), -(_ordinal(pod, name) or 0))))


def _numbers(spec: StatefulSetSpec, desired: int) -> range:
    first = spec.ordinals.start if spec.ordinals else 0
    return range(first, first + desired)


def _ordinal(pod: Pod, name: str) -> int | None:
    """A Pod's number; None where it is no Pod of the StatefulSet."""
    number = pod.metadata.name.removeprefix(f"{name}-")
    return int(number) if number != pod.metadata.name and number.isdecimal() and len(number) < 7 else None
