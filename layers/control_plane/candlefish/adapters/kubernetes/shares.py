"""Weights as shares of Pods: the port `Rules` over the Kubernetes API, for services without a load balancer.

A Service called like the service stands for the rule: its annotations say the weights and the record that they follow,
its selector sends connections to the slots that have any. Of a worker nobody calls it is headless and leads nowhere.
Unlike a listener rule it takes conditions: who follows an older record than the last writer changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from candlefish.adapters.kubernetes.kinds import DEPLOYMENTS, SERVICES, STATEFUL_SETS
from candlefish.adapters.kubernetes.messages import RequestCarrier
from candlefish.adapters.kubernetes.objects import CONFLICT, accepted, answered, find_object, patch_as_seen
from candlefish.errors import Misconfigured, NotOnboarded, StaleGeneration, Unavailable
from candlefish.invocation import seconds_to_write
from candlefish.release.manifests.model import (
    GENERATION_NOTE,
    MANAGER,
    REVISION_NOTE,
    SERVICE_LABEL,
    SHARE_LABEL,
    SLOT_LABEL,
    generation_of,
    revision_of,
    runner_of,
    stateful_name,
)
from candlefish.release.model import Manifest
from candlefish.release.ports import Cluster
from candlefish.release.rollout import Deployment
from candlefish.release.stateful_rollout import StatefulSet
from candlefish.service.model import SLOTS, RecordMark, Sharing, Slot, Weights, all_to
from candlefish.traffic.ports import NOBODYS, Intention, RuleTags, ShareSpec, TargetHealth
from candlefish.traffic.rules import forward
from candlefish.traffic.shares import (
    Place,
    group_name,
    listener_name,
    pods_of,
    read_weights,
    rule_name,
    stands_for,
    written,
)

# The kind of service that is one StatefulSet.
STATEFUL_KIND = "stateful"
WEIGHTS_NOTE = "candlefish.ai/weights"
ENVIRONMENT_NOTE = "candlefish.ai/environment"
# Stands there from before anything is moved until all is: what it says of weights is not so yet.
MOVING_NOTE = "candlefish.ai/moving"
# The selector of before the first release, by which a service is given back.
BEFORE_NOTE = "candlefish.ai/selector-before"


class ShareOfPods:
    """`traffic.ports.Rules` and `traffic.ports.ShareOnboarding` on a cluster."""

    def __init__(self, cluster: Cluster, api: RequestCarrier) -> None:
        self._cluster, self._api = cluster, api

    # --- traffic.ports.Rules -------------------------------------------------------------------

    def read(self, rule: str) -> dict[str, int]:
        place = stands_for(rule)
        return _by_group(place, self._service(place))

    def look_ahead(self, rule: str) -> None:
        """Nothing of a Service is kept that would have to be read before."""

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        """First where connections go, then how many Pods there are, and last that it is so: who dies between leaves a
        Service that does not say what the record wants, and whoever compares them writes again."""
        place = stands_for(rule)
        by_slot = {
            slot: share
            for group, share in weights.items()
            for slot in SLOTS
            if stands_for(group).slot == slot
        }
        if seconds_to_write() <= 0:
            raise Unavailable(
                f"writing the weights of {place.service}: it took so long to come to it that somebody may have taken "
                "the service over; nothing was written, the next attempt reads anew"
            )
        mark = {GENERATION_NOTE: str(intention.mark.generation), REVISION_NOTE: str(intention.mark.revision)}
        left = place.kind == STATEFUL_KIND and not any(
            self._cluster.running(place.namespace, stateful_name(place.service, slot))
            for slot in SLOTS
            if by_slot[slot]
        )

        def lead(live: Manifest) -> Manifest | None:
            if mark_on_share(live) > intention.mark:
                return None
            wanted = _selector(place, by_slot)
            before = live["spec"].get("selector") or {}
            notes: dict[str, str | None] = {**mark, MOVING_NOTE: written(by_slot)}
            if left and (text := _notes(live).get(BEFORE_NOTE)):
                # Its StatefulSet runs what it ran before the first release: so do its clients.
                wanted, notes[BEFORE_NOTE] = json.loads(text), None
            gone = dict.fromkeys(before.keys() - wanted.keys())
            if not left and before and before.get(SERVICE_LABEL) != place.service:
                notes[BEFORE_NOTE] = json.dumps(before, sort_keys=True)
            return {"metadata": {"annotations": notes}, "spec": {"selector": {**gone, **wanted}}}

        def say(live: Manifest) -> Manifest | None:
            if mark_on_share(live) > intention.mark:
                return None
            return {"metadata": {"annotations": {**mark, WEIGHTS_NOTE: written(by_slot), MOVING_NOTE: None}}}

        if self._patch(place, lead):
            try:
                self._place(place, by_slot, intention.sharing, intention.mark)
            except StaleGeneration:
                newest = mark_on_share(self._service(place))
                if newest.generation == intention.mark.generation and newest > intention.mark:
                    # A later write of the same holder is at it, or done: it has the last word.
                    return
                raise
            self._patch(place, say)

    def health(self, target_group: str) -> TargetHealth:
        place = stands_for(target_group)
        if place.kind == STATEFUL_KIND:
            path = STATEFUL_SETS.format(place.namespace, place.service)
            found = find_object(self._api, f"StatefulSet {place.service}", path, StatefulSet)
            if found is None or found.metadata.labels.get(SLOT_LABEL) != place.slot:
                return TargetHealth(reason="it has no StatefulSet")
            return _health(found.status.available, found.spec.replicas)
        name = f"{place.service}-{place.slot}"
        path = DEPLOYMENTS.format(place.namespace, name)
        deployed = find_object(self._api, f"Deployment {name}", path, Deployment)
        if deployed is None:
            return TargetHealth(reason="it has no Deployment")
        return _health(deployed.status.available_replicas, deployed.spec.replicas)

    def stamp(self, rule: str, mark: RecordMark) -> None:
        notes = {GENERATION_NOTE: str(mark.generation), REVISION_NOTE: str(mark.revision)}
        self._patch(
            stands_for(rule),
            lambda live: {"metadata": {"annotations": notes}} if mark_on_share(live) < mark else None,
        )

    def listed(self, listener: str) -> list[dict[str, Any]]:
        kind, _, namespace = listener.partition(":")[2].partition(":listener/")
        path, subject = SERVICES.format(namespace), f"Services in {namespace}"
        query = {"labelSelector": f"{SHARE_LABEL}={kind}"}
        answer = self._api.request("GET", path, subject=subject, query=query)
        rules = []
        for live in answered(subject, answer, dict).get("items") or ():
            place = Place(kind, namespace, live["metadata"]["name"])
            rule = rule_name(kind, namespace, place.service)
            rules.append({"RuleArn": rule, "Priority": "1", "Actions": [forward(_by_group(place, live))]})
        return rules

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        found = {}
        for rule in rules:
            live = self._service(stands_for(rule))
            found[rule] = RuleTags(
                stands_for(rule).service, _notes(live).get(ENVIRONMENT_NOTE, ""), mark_on_share(live)
            )
        return found

    # --- traffic.ports.ShareOnboarding ---------------------------------------------------------

    def ensure_share(self, spec: ShareSpec) -> str:
        place = Place(spec.kind, spec.namespace, spec.service)
        subject = _subject(place)
        notes = {WEIGHTS_NOTE: written(all_to(spec.resting)), ENVIRONMENT_NOTE: spec.environment}
        live = find_object(self._api, subject, _path(place), dict)
        if live is None:
            reached: Manifest = (
                {"type": "ClusterIP", "ports": [spec.port]} if spec.port else {"clusterIP": "None"}
            )
            if spec.headless:
                # Pods that have to find each other are not ready yet.
                reached = {"clusterIP": "None", "ports": [spec.port], "publishNotReadyAddresses": True}
            labels = {
                SERVICE_LABEL: spec.service,
                SHARE_LABEL: spec.kind,
                "app.kubernetes.io/managed-by": MANAGER,
            }
            metadata = {
                "name": spec.service,
                "namespace": spec.namespace,
                "labels": labels,
                "annotations": notes,
            }
            body = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {**reached, "selector": _selector(place, all_to(spec.resting))},
            }
            answer = self._api.request(
                "POST",
                SERVICES.format(place.namespace),
                subject=subject,
                query={"fieldManager": MANAGER},
                body=body,
            )
            # Whoever made it meanwhile is looked at below.
            if answer.status != CONFLICT:
                accepted(subject, answer)
                return listener_name(spec.kind, spec.namespace)
            live = self._service(place)
        if (live["metadata"].get("labels") or {}).get(SHARE_LABEL) != spec.kind:
            raise Misconfigured(
                f"{subject} is there, and nobody has handed it over: with a label on it its clients are led to the "
                "slots' Pods by the first release that takes over, and stay where they are until then: kubectl label "
                f"service {spec.service} -n {spec.namespace} {SHARE_LABEL}={spec.kind} --overwrite; or call the "
                "service otherwise in the catalog; nothing was changed"
            )
        self._patch(
            place,
            lambda seen: {"metadata": {"annotations": {**notes, **_known(_notes(seen), notes)}}},
        )
        return listener_name(spec.kind, spec.namespace)

    # --- Pods ----------------------------------------------------------------------------------

    def _place(self, place: Place, weights: Weights, sharing: Sharing | None, mark: RecordMark) -> None:
        """Give each slot its Pods, first where there are to be fewer: a version that is taken back stops first."""
        generation, cluster = mark.generation, self._cluster.of_revision(mark.revision)
        wanted = pods_of(weights, sharing) if sharing else None
        moves: list[tuple[bool, Callable[[], object]]] = []
        for slot in SLOTS:
            name = runner_of(place.service, slot, stateful=place.kind == STATEFUL_KIND)
            running = cluster.running(place.namespace, name)
            if running is None:
                continue
            pods = wanted[slot].pods if wanted else 1
            most = wanted[slot].most if wanted and running.autoscaled else 0
            if weights[slot] == 0:
                if place.kind == "worker":
                    moves.append((False, _call(cluster.retire, place.namespace, name, generation)))
                # Of a service in the cluster nothing leads to it any more: it keeps its Pods until it is retired.
                continue
            exact = weights[slot] < 100 and wanted is not None
            act = _call(_give, cluster, place.namespace, name, pods, most, generation, exact=exact)
            moves.append((running.replicas <= pods, act))
        for _, act in sorted(moves, key=lambda move: move[0]):
            act()

    # --- the Service ---------------------------------------------------------------------------

    def _service(self, place: Place) -> Manifest:
        found = find_object(self._api, _subject(place), _path(place), dict)
        if found is None:
            raise _gone(place)
        return found

    def _patch(self, place: Place, wanted: Callable[[Manifest], Manifest | None]) -> bool:
        """Change the Service as it was seen; False when there is nothing to change any more."""
        seen = patch_as_seen(self._api, _subject(place), _path(place), wanted)
        if seen is None:
            raise _gone(place)
        return wanted(seen) is not None


def _give(
    cluster: Cluster, namespace: str, name: str, pods: int, most: int, generation: int, *, exact: bool
) -> None:
    if most:
        cluster.set_bounds(namespace, name, minimum=pods, maximum=most, generation=generation)
    if exact:
        cluster.scale_to(namespace, name, pods, generation=generation)
    else:
        cluster.raise_to(namespace, name, pods, generation=generation)


def _health(available: int, asked: int) -> TargetHealth:
    healthy = min(available, asked)
    reason = "" if healthy else "it asks for no Pods" if not asked else "no Pod is ready"
    return TargetHealth(healthy=healthy, initial=max(0, asked - healthy), reason=reason)


def mark_on_share(live: Manifest) -> RecordMark:
    """What a Service says of the record that it follows; zeros where it says nothing."""
    return RecordMark(revision_of(_notes(live)), generation_of(_notes(live)))


def _by_group(place: Place, live: Manifest) -> dict[str, int]:
    """The weights by what stands for target groups.

    None while they are moved, or nothing is said. A selector that somebody set is where connections go, whatever the
    annotation says; one that is none of ours is of before the first release.
    """
    notes = _notes(live)
    said = read_weights(notes.get(WEIGHTS_NOTE, ""))
    if said is None or notes.get(MOVING_NOTE):
        said = {"blue": 0, "green": 0}
    selector = live["spec"].get("selector") or {}
    ours = selector.get(SERVICE_LABEL) == place.service
    if ours and any(said.values()) and selector != _selector(place, said):
        only = selector.get(SLOT_LABEL)
        said = {slot: 100 * (slot == only) for slot in SLOTS} if only else dict.fromkeys(SLOTS, 50)
    environment = notes.get(ENVIRONMENT_NOTE, "")
    return {
        group_name(place.kind, place.namespace, place.service, environment, slot): said[slot]
        for slot in SLOTS
    }


def _selector(place: Place, weights: Mapping[Slot, int]) -> dict[str, str]:
    """What selects the Pods that connections go to: both slots', or those of the one that has all. A StatefulSet is one,
    whose Pods find each other before anything leads to its slot."""
    service = place.service
    if place.kind == STATEFUL_KIND:
        return {SERVICE_LABEL: service}
    having = [slot for slot in SLOTS if weights[slot]]
    return {SERVICE_LABEL: service, **({SLOT_LABEL: having[0]} if len(having) == 1 else {})}


def _known(said: Mapping[str, str], notes: Mapping[str, str]) -> dict[str, str]:
    """What of the notes stands there already, and stays."""
    return {key: said[key] for key in notes if said.get(key)}


def _call(do: Callable[..., object], *args: Any, **named: Any) -> Callable[[], object]:
    return lambda: do(*args, **named)


def _notes(live: Manifest) -> Mapping[str, str]:
    return (live.get("metadata") or {}).get("annotations") or {}


def _subject(place: Place) -> str:
    return f"Service {place.service} in {place.namespace}"


def _path(place: Place) -> str:
    return f"{SERVICES.format(place.namespace)}/{place.service}"


def _gone(place: Place) -> NotOnboarded:
    return NotOnboarded(
        f"{_subject(place)} does not exist any more; somebody deleted it: run candlefish onboard again"
    )
