"""What runs in a service's slots, for people to see: a Deployment or StatefulSet, and its Pods."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.kubernetes.cluster import PAGE, PodList, runner
from candlefish.adapters.kubernetes.kinds import PODS
from candlefish.adapters.kubernetes.messages import RequestCarrier
from candlefish.adapters.kubernetes.objects import answered, find_object
from candlefish.release.rollout import Deployment
from candlefish.views.ports import SlotWorkload


class KubernetesSlots:
    """`views.ports.SlotWorkloads`: two requests a slot; of more Pods than a page has, the first are looked at.

    `find` finds the API when something is first asked; `begin` is told before each slot, so that it is waited for only
    so long.
    """

    def __init__(self, find: Callable[[], RequestCarrier], begin: Callable[[], None] = lambda: None) -> None:
        self._find, self._begin = find, begin

    def of_slot(self, namespace: str, name: str) -> SlotWorkload | None:
        self._begin()
        here, api = runner(namespace, name), self._find()
        found = find_object(api, here.subject, here.path, Deployment)
        if found is None or not here.is_labelled(found.metadata.labels):
            return None
        labels = found.spec.selector.match_labels
        query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items()), "limit": str(PAGE)}
        subject = f"Pods in {namespace}"
        answer = api.request("GET", PODS.format(namespace), subject=subject, query=query)
        return SlotWorkload(found.spec.replicas, tuple(answered(subject, answer, PodList).items))
