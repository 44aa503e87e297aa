"""StatefulSets over the Kubernetes API: taken over, given back, and freed of a Pod that would stand for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from candlefish.adapters.kubernetes.kinds import PODS, STATEFUL_SETS, path_of, title
from candlefish.adapters.kubernetes.messages import MERGE, ApiResponse, RequestCarrier
from candlefish.adapters.kubernetes.objects import CONFLICT, MISSING, accepted, find_object, patch_as_seen
from candlefish.release.manifests.model import MANAGER, refuse_newer
from candlefish.release.model import Manifest
from candlefish.release.pods import Pod
from candlefish.release.stateful import StatefulSet, given_back, stuck_pod, taken_over


class KubernetesStateful:
    """What the `Cluster` port does with StatefulSets alone."""

    def __init__(self, api: RequestCarrier, pods: Callable[[str, Manifest], Sequence[Pod]]) -> None:
        self._api, self._pods = api, pods

    def take_over(self, manifest: Manifest, live: Manifest, *, rehearsal: bool = False) -> ApiResponse:
        """Put a release's template in the place of what somebody's StatefulSet runs, if it is as it was seen."""
        change = taken_over(manifest, live)
        seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        return self._api.request(
            "PATCH",
            path_of(manifest),
            subject=title(manifest),
            query={**query, "dryRun": "All"} if rehearsal else query,
            body={**change, "metadata": {**change["metadata"], **seen}},
            content_type=MERGE,
        )

    def give_back(self, subject: str, path: str, means: Callable[[Manifest], bool], generation: int) -> bool:
        """Let a StatefulSet run what it ran before its first release; False where it was not there before."""

        def change(live: Manifest) -> Manifest | None:
            if not means(live):
                return None
            refuse_newer(subject, live["metadata"].get("annotations") or {}, generation)
            return given_back(live, generation)

        seen = patch_as_seen(self._api, subject, path, change)
        return seen is not None and change(seen) is not None

    def free(self, subject: str, namespace: str, name: str, generation: int) -> str:
        """Delete the Pod that its StatefulSet would wait for for ever; what it is called, empty where there is none.

        Just the Pod that was looked at: who made another one of its name meanwhile, or got it ready, keeps it.
        """
        live = find_object(self._api, subject, STATEFUL_SETS.format(namespace, name), dict)
        if live is None:
            return ""
        refuse_newer(subject, live["metadata"].get("annotations") or {}, generation)
        stuck = stuck_pod(msgspec.convert(live, StatefulSet), self._pods(namespace, live["spec"]["selector"]))
        if stuck is None:
            return ""
        meta, pod = stuck.metadata, f"Pod {stuck.metadata.name} in {namespace}"
        answer = self._api.request(
            "DELETE",
            f"{PODS.format(namespace)}/{meta.name}",
            subject=pod,
            body={"preconditions": {"uid": meta.uid, "resourceVersion": meta.resource_version}},
        )
        if answer.status in (MISSING, CONFLICT):
            return ""
        accepted(pod, answer)
        return meta.name
