"""What else in the namespace would take a slot's Pods for its own, and volumes that two slots cannot mount.

Asked before Pods are made. A Service that selects a candidate's Pods sends it users whom no weight holds back; two
budgets on one Pod forbid its eviction; an autoscaler counts the Pods that its Deployment selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from candlefish.errors import ClusterRefused
from candlefish.label_selectors import names_labels, selector_words, selects
from candlefish.release.manifests import claims
from candlefish.release.manifests.model import MANAGER, SERVICE_LABEL, SHARE_LABEL
from candlefish.release.model import Manifest, Selecting
from candlefish.release.ports import Cluster

# What comes of it, by kind, and what to do about it.
HARMS = {
    "Service": "users would be sent to Pods that were not judged",
    "PodDisruptionBudget": "Pods under two budgets cannot be evicted, and nodes cannot drain",
    "Deployment": "its autoscaler would count them as its own",
}
SHARED_MODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})


def refuse_strangers(objects: Sequence[Manifest], service: str, namespace: str, cluster: Cluster) -> None:
    """Refuse Pods of a slot that somebody else's object would take, and volumes that two slots cannot have.

    Raises
    ------
    ClusterRefused
        There is such an object; nothing was changed.
    """
    if why := captured(pods_labels(objects), service, cluster.selecting(namespace)):
        raise ClusterRefused(why)
    for claim in claims(objects):
        if why := cannot_share(claim, cluster.access_modes(namespace, claim)):
            raise ClusterRefused(why)


def pods_labels(objects: Iterable[Manifest]) -> Mapping[str, str]:
    """The labels of the Pods that a slot's objects make; none where they make none."""
    for each in objects:
        template = each["spec"].get("template") if each["kind"] in ("Deployment", "StatefulSet") else None
        if template:
            labels: Mapping[str, str] = template["metadata"]["labels"]
            return labels
    return {}


def captured(labels: Mapping[str, str], service: str, found: Sequence[Selecting]) -> str:
    """Why a slot's Pods must not be made beside these objects; empty when nothing takes them.

    What carries our own labels is ours: both slots' objects, and what the service has in the cluster for both.
    """
    for each in found:
        ours = (each.labels.get("app.kubernetes.io/managed-by"), each.labels.get(SERVICE_LABEL))
        if ours == (MANAGER, service) or not names_labels(each.selector) or not labels:
            continue
        if (each.kind, each.name) == ("Service", service) and SHARE_LABEL in each.labels:
            # It was handed over: where it leads is the weights' to say.
            continue
        if selects(each.selector, labels):
            return (
                f"{each.kind} {each.name} selects the slot's Pods by {selector_words(each.selector)}: {HARMS[each.kind]}; "
                f"narrow its selector to a label that the slot's Pods have not, delete it when nothing uses it, or "
                "release the chart that it comes from as a bundle (candlefish bundle), which gives such labels the slot"
            )
    return ""


def cannot_share(claim: str, modes: Sequence[str] | None) -> str:
    """Why a claim cannot be mounted by Pods of two slots; empty when it can, or when it is not there yet.

    A claim that is missing keeps its Pods waiting, which readiness tells.
    """
    if modes is None or SHARED_MODES.intersection(modes):
        return ""
    return (
        f"PersistentVolumeClaim {claim} is {', '.join(modes) or 'of no mode'}: one node mounts it at a time, and both "
        "slots run during a release; use ReadWriteMany (EFS), keep the data in a database or S3, or make it a "
        "stateful service"
    )
