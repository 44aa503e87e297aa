"""A service's two slots as people see them: version, traffic wanted and real, Pods (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from candlefish.release.model import SeenEvidence
from candlefish.release.pods import is_dead, trouble_of
from candlefish.service.model import SLOTS, Slot, SlotRecord, Version
from candlefish.service.record import ServiceRecord
from candlefish.views.evidence import rate_of
from candlefish.views.model import PodsView, SlotView, TroubleView, VersionView
from candlefish.views.ports import SlotWorkload

NOT_ASKED = PodsView(unknown="not asked")
# How many Pods that are not well are named.
MOST_TROUBLES = 5
_ORDER = {"stable": 0, "previous": 1, "candidate": 2, "bad": 3, "empty": 4}


def version_view(version: Version) -> VersionView:
    """A version without the text of its configuration."""
    return VersionView(version.short, version.image, version.configuration_digest)


def pods_view(workload: SlotWorkload | None) -> PodsView:
    """What runs in a slot; none where nothing was ever deployed."""
    if workload is None:
        return PodsView()
    alive = [pod for pod in workload.pods if not is_dead(pod) and pod.metadata.deletion_timestamp is None]
    ready = [
        pod
        for pod in alive
        if any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
    ]
    unwell = [(pod, trouble) for pod in alive if pod not in ready and (trouble := trouble_of(pod))]
    restarting = sum(
        not status.ready and status.restart_count > 0
        for pod in alive
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    )
    return PodsView(
        ready=len(ready),
        desired=workload.desired,
        restarting=restarting,
        troubles=tuple(
            TroubleView(pod.metadata.name, trouble.words) for pod, trouble in unwell[:MOST_TROUBLES]
        ),
    )


def slots_view(
    record: ServiceRecord,
    *,
    weights: Mapping[str, int] | None,
    pods: Mapping[Slot, PodsView],
    seen: SeenEvidence | None = None,
    new: Version | None = None,
) -> tuple[SlotView, ...]:
    """Both slots, the version that serves first; an empty one only where nothing else is.

    `weights` are the real ones by target group, None where they are not known. `seen` is what a release's judge counted
    of its version `new` and the one before it.
    """
    views = []
    for slot in SLOTS:
        each = record.slots[slot]
        version = each.incoming or each.version
        is_new = new is not None and version is not None and version.same_as(new)
        counts = (seen.new if is_new else seen.old) if seen and version else None
        views.append(
            SlotView(
                slot=slot,
                role=_role(each),
                version=version_view(version) if version else None,
                wanted=record.desired.get(slot, 0),
                real=weights.get(each.target_group) if weights is not None else None,
                pods=pods.get(slot, NOT_ASKED),
                errors=rate_of(counts, seen.since, seen.until) if counts and seen else None,
                p50=counts.p50 if counts else None,
                p95=counts.p95 if counts else None,
            )
        )
    kept = [view for view in views if view.role != "empty" or view.wanted] or views
    return tuple(sorted(kept, key=lambda view: _ORDER[view.role]))


def _role(slot: SlotRecord) -> Literal["empty", "candidate", "stable", "previous", "bad"]:
    return "candidate" if slot.incoming else slot.state


def candidate_of(record: ServiceRecord) -> Slot | None:
    """The slot that a release under way brings its version to."""
    return next((s for s in SLOTS if record.slots[s].state == "candidate" or record.slots[s].incoming), None)


def slot_with(record: ServiceRecord, version: Version) -> Slot | None:
    """The slot that has a version, or is getting it."""
    for slot in SLOTS:
        each = record.slots[slot]
        if any(
            has is not None and has.image == version.image and has.same_as(version)
            for has in (each.incoming, each.version)
        ):
            return slot
    return None
