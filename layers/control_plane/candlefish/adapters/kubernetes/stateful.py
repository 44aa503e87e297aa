"""StatefulSets over the Kubernetes API: taken over, given back, and freed of a Pod that would stand for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from candlefish.adapters.kubernetes.kinds import PODS, path_of, title
from candlefish.adapters.kubernetes.messages import MERGE, ApiResponse, RequestCarrier
from candlefish.adapters.kubernetes.objects import (
    CONFLICT,
    FORBIDDEN,
    MISSING,
    accepted,
    find_object,
    patch_as_seen,
)
from candlefish.release.manifests.model import GIVEN_BACK_NOTE, MANAGER, generation_of, refuse_newer
from candlefish.release.model import Manifest
from candlefish.release.pods import Pod
from candlefish.release.stateful import given_back, standing, taken_over
from candlefish.release.stateful_rollout import StatefulSet, stuck_pod


class KubernetesStateful:
    """What the `Cluster` port does with StatefulSets alone."""

    def __init__(self, api: RequestCarrier, pods: Callable[[str, Manifest], Sequence[Pod]]) -> None:
        self._api, self._pods = api, pods

    def beside(self, objects: Sequence[Manifest], *, again: bool) -> Sequence[Manifest]:
        """Objects as they may stand beside the StatefulSet that is there (`release.stateful.standing`)."""
        own = next((each for each in objects if each["kind"] == "StatefulSet"), None)
        live = find_object(self._api, title(own), path_of(own), dict) if own else None
        return [standing(each, live, again=again) for each in objects] if live else objects

    def take_over(self, manifest: Manifest, live: Manifest, *, rehearsal: bool = False) -> ApiResponse:
        """Put a release's template in the place of what somebody's StatefulSet runs, if it is as it was seen."""
        change = taken_over(manifest, live)
        # Its controller writes its status while it is looked at: only what is really written has to meet what was seen.
        seen = {} if rehearsal else {"resourceVersion": live["metadata"]["resourceVersion"]}
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
        """Let a StatefulSet run what it ran before its first release; whether this generation did that, now or before."""

        def change(live: Manifest) -> Manifest | None:
            if not means(live):
                return None
            refuse_newer(subject, live["metadata"].get("annotations") or {}, generation)
            return given_back(live, generation)

        seen = patch_as_seen(self._api, subject, path, change)
        if seen is None:
            return False
        notes = seen["metadata"].get("annotations") or {}
        # Given back it is nobody's slot any more. One that nobody handed over has no such note.
        before = GIVEN_BACK_NOTE in notes and generation_of(notes) == generation
        return before or change(seen) is not None

    def free(self, subject: str, path: str, namespace: str, generation: int) -> str:
        """Delete the Pod that its StatefulSet would wait for for ever; what it is called, empty where there is none.

        Just the Pod that was looked at: who made another one of its name meanwhile, or got it ready, keeps it.
        """
        live = find_object(self._api, subject, path, dict)
        if live is None:
            return ""
        notes = live["metadata"].get("annotations") or {}
        refuse_newer(subject, notes, generation)
        if generation_of(notes) != generation:
            # Nobody's who asks: what its own people are at is theirs.
            return ""
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
        if answer.status in (MISSING, CONFLICT, FORBIDDEN):
            return ""
        accepted(pod, answer)
        return meta.name
