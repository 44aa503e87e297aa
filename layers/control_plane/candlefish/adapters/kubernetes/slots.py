"""What runs in a service's slots, for people to see: a Deployment or StatefulSet, and its Pods."""

from __future__ import annotations

from candlefish.adapters.kubernetes.cluster import PAGE, PodList, runner
from candlefish.adapters.kubernetes.kinds import PODS
from candlefish.adapters.kubernetes.messages import RequestCarrier
from candlefish.adapters.kubernetes.objects import answered, find_object
from candlefish.release.rollout import Deployment
from candlefish.views.ports import SlotWorkload


class KubernetesSlots:
    """`views.ports.SlotWorkloads`: two requests a slot; of more Pods than a page has, the first are looked at."""

    def __init__(self, api: RequestCarrier) -> None:
        self._api = api

    def of_slot(self, namespace: str, name: str) -> SlotWorkload | None:
        here = runner(namespace, name)
        found = find_object(self._api, here.subject, here.path, Deployment)
        if found is None or not here.is_labelled(found.metadata.labels):
            return None
        labels = found.spec.selector.match_labels
        query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items()), "limit": str(PAGE)}
        subject = f"Pods in {namespace}"
        answer = self._api.request("GET", PODS.format(namespace), subject=subject, query=query)
        return SlotWorkload(found.spec.replicas, tuple(answered(subject, answer, PodList).items))
