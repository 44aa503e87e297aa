"""Give a slot its share of the Pods for its next weight, where Pods are what moves traffic."""

from __future__ import annotations

from candlefish.catalog.model import Replicas
from candlefish.ports import Now
from candlefish.release.journal import Journal
from candlefish.release.manifests import slot_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import StepInput
from candlefish.release.ports import Cluster
from candlefish.service.model import Sharing, Slot, Weights, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, begin_sharing
from candlefish.traffic.shares import pods_of


def share_pods(
    request: StepInput,
    record: ServiceRecord,
    stable: Slot,
    replicas: Replicas,
    namespace: str,
    records: ServiceRecords,
    cluster: Cluster,
    journal: Journal,
    now: Now,
) -> int:
    """Give the candidate its Pods for the step's weight, beside those of the stable slot; how many it then needs.

    The stable slot gives its own up with the weight (`shift_weights`), when the candidate's are ready: until then
    there are more Pods than before, and the candidate has less than its share. How many both have together is what
    the service had when the release began to share, within the `replicas` of the version that comes, and is written
    down before anything is moved.
    """
    if record.sharing is None:
        serving = cluster.current_replicas(namespace, slot_name(request.service, stable))
        total = min(max(replicas.min, serving), replicas.max)
        begun = Sharing(request.slot, total, replicas.max)
        record = records.update(
            request.service, lambda r: begin_sharing(r, begun, generation=request.generation)
        )
    assert record.sharing
    # Weights of this record: what comes late must not undo what a later step of the same release gave.
    cluster = cluster.of_revision(record.revision)
    weight = request.step.weight
    wanted: Weights = {request.slot: weight, other(request.slot): 100 - weight}
    candidate = pods_of(wanted, record.sharing)[request.slot]
    needed = {request.slot: candidate}
    if weight == 100 and not record.works_alone:
        # It keeps all that a rollback would need, and is led to no more.
        needed[stable] = candidate
    for slot, each in needed.items():
        if each.pods:
            name = slot_name(request.service, slot)
            cluster.set_bounds(
                namespace, name, minimum=each.pods, maximum=each.most, generation=request.generation
            )
            # What was left of an earlier release would be more than its share.
            move = cluster.scale_to if slot == request.slot else cluster.raise_to
            move(namespace, name, each.pods, generation=request.generation)
    journal.append(
        request.release,
        ReleaseEntry(
            now(),
            "scaled",
            f"slot {request.slot} gets {candidate.pods} of {record.sharing.total} Pods for {weight}%"
            + ("" if weight else ": none before it has a weight" if record.works_alone else ""),
        ),
    )
    return candidate.pods
