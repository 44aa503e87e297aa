"""A record from what the world shows, and where the two differ. Pure: nothing of the world is changed by it.

The load balancer knows the weights and which generation wrote them, the Deployments what runs and for which release.
What neither knows is lost with a record: the rollback window, holds, and what was bad before.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.errors import WorldUnclear
from candlefish.release.drift import other_version
from candlefish.release.model import Running
from candlefish.service.model import SLOTS, Slot, SlotRecord, Version, all_to, other
from candlefish.service.record import ServiceRecord, is_newer, new_record
from candlefish.traffic.fittings import Fittings


class SlotSight(msgspec.Struct, frozen=True):
    """What is seen of a slot. `healthy` targets are None, and `unreadable` says why, where nobody answered."""

    healthy: int | None
    running: Running | None
    unreadable: str = ""

    @property
    def capable(self) -> bool:
        """Whether anything of it can answer users, as far as is known."""
        return bool(self.healthy) or (self.running is not None and self.running.replicas > 0)


class ServiceSight(msgspec.Struct, frozen=True):
    """What is seen of a service."""

    fittings: Fittings
    slots: dict[Slot, SlotSight]

    @property
    def generation(self) -> int:
        """The newest generation that anything names."""
        named = (each.running.generation for each in self.slots.values() if each.running)
        return max((self.fittings.mark.generation, *named))


def reconstruct(
    environment: str,
    service: str,
    sight: ServiceSight,
    *,
    before: ServiceRecord | None = None,
    stable: Slot | None = None,
    now: float,
) -> ServiceRecord:
    """The record that what is seen allows.

    Parameters
    ----------
    before
        A record that is not obeyed any more: what only it knows (bad versions) is kept.
    stable
        The slot that a person says is good.
    now
        Epoch seconds.

    Raises
    ------
    WorldUnclear
        It allows more than one, and nobody has said which slot is good.
    """
    fittings = sight.fittings
    made = new_record(
        environment,
        service,
        rule=fittings.rule,
        smoke_rule=fittings.smoke_rule,
        smoke_token=fittings.smoke_token,
        target_groups=fittings.groups,
        resting=next((slot for slot in SLOTS if fittings.weights[slot]), "blue"),
    )
    good = _good_slot(made.name, f"{service} -e {environment}", sight, stable)
    generation = max(sight.generation, before.generation if before else 0)
    revision = max(fittings.mark.revision, before.revision if before else 0)
    # As old as nothing in the world: whoever still holds an older one is refused from here on.
    made = msgspec.structs.replace(made, revision=revision + 1 if revision else 0)
    if good is None and generation == 0:
        return made
    generation += 1
    made = msgspec.structs.replace(
        made,
        generation=generation,
        generation_at=now,
        earlier_writers_at=now,
        desired_generation=generation,
        # Its rule may not be so yet: what is put right then was nobody's change.
        intended_at=now,
        intended_revision=made.revision + 1,
        bad=before.bad if before else (),
    )
    if good is None:
        return made
    running = sight.slots[good].running
    assert running
    return msgspec.structs.replace(
        made,
        desired=all_to(good),
        stable=good,
        slots={
            good: _slot(fittings, good, running, "stable"),
            other(good): _slot(fittings, other(good), sight.slots[other(good)].running, "previous"),
        },
        promoted_release=running.release or f"{service}-rebuilt-{generation}",
        window_until=now,
    )


def _slot(
    fittings: Fittings, slot: Slot, running: Running | None, state: Literal["stable", "previous"]
) -> SlotRecord:
    if running is None or (state == "previous" and running.replicas == 0):
        return SlotRecord(fittings.groups[slot])
    return SlotRecord(
        fittings.groups[slot],
        state=state,
        version=Version(
            running.image, running.version, running.bundle, running.bundle_digest, running.configuration
        ),
        running=True,
        release=running.release,
    )


def _good_slot(name: str, command: str, sight: ServiceSight, said: Slot | None) -> Slot | None:
    """The slot that users shall be on; None when nothing was ever released."""
    unread = [each.unreadable for each in sight.slots.values() if each.unreadable]
    if unread:
        raise WorldUnclear(
            f"what runs of {name} could not be read ({unread[0]}); nothing was changed, ask again"
        )
    used = [slot for slot in SLOTS if sight.fittings.weights[slot]]
    if not said and not any(each.capable or each.running for each in sight.slots.values()) and len(used) < 2:
        return None
    seen = "; ".join(f"{slot}: {_told(sight, slot)}" for slot in SLOTS)
    if said is None and len(used) != 1:
        share = "both slots have traffic" if used else "no slot has traffic"
        raise WorldUnclear(
            f"{share} of {name} ({seen}); nothing was changed. Say which slot is good with: "
            f'candlefish records rebuild {command} --stable blue (or green) --reason "..."'
        )
    good = said or used[0]
    running = sight.slots[good].running
    if running is None or "@sha256:" not in running.image:
        runs = "has no Deployment" if running is None else f"runs {running.image}, which is no digest"
        raise WorldUnclear(
            f"slot {good} of {name} {runs} ({seen}); nothing was changed. Say which slot is good with: "
            f'candlefish records rebuild {command} --stable {other(good)} --reason "..."'
        )
    if not sight.slots[good].healthy and sight.slots[other(good)].healthy:
        raise WorldUnclear(
            f"slot {good} of {name} has no healthy target and slot {other(good)} has ({seen}); nothing was changed. "
            f'If that one is good: candlefish records rebuild {command} --stable {other(good)} --reason "..."'
        )
    return good


def _told(sight: ServiceSight, slot: Slot) -> str:
    seen = sight.slots[slot]
    runs = "no Deployment"
    if seen.running:
        runs = f"{seen.running.replicas} Pods of {seen.running.version or seen.running.image or 'no known image'}"
    healthy = "unknown" if seen.healthy is None else str(seen.healthy)
    return f"weight {sight.fittings.weights[slot]}, {healthy} healthy, {runs}"


class Comparison(msgspec.Struct, frozen=True):
    """One thing, as the record has it and as it was found."""

    what: str
    recorded: str
    found: str
    agrees: bool


def compare(record: ServiceRecord | None, sight: ServiceSight | None) -> list[Comparison]:
    """Record and world, line by line."""
    if record is None or sight is None:
        recorded = "none" if record is None else f"generation {record.generation}"
        found = "no rule" if sight is None else f"rule {sight.fittings.rule}, generation {sight.generation}"
        return [Comparison("record", recorded, found, agrees=record is None and sight is None)]
    fittings = sight.fittings
    return [
        _ages(record, sight),
        _line("rule", record.rule, fittings.rule),
        _line("smoke rule", record.smoke_rule or "none", fittings.smoke_rule or "none"),
        *(
            _line(f"{slot} target group", record.slots[slot].target_group, fittings.groups[slot])
            for slot in SLOTS
        ),
        *(_line(f"{slot} weight", str(record.desired[slot]), str(fittings.weights[slot])) for slot in SLOTS),
        *(_runs(record, sight, slot) for slot in SLOTS),
        *(_targets(sight, slot) for slot in SLOTS),
    ]


def _line(what: str, recorded: str, found: str) -> Comparison:
    return Comparison(what, recorded, found, recorded == found)


def _ages(record: ServiceRecord, sight: ServiceSight) -> Comparison:
    mark = sight.fittings.mark
    named = [f"rule {mark.generation} (revision {mark.revision})"]
    named += [f"{slot} {seen.running.generation}" for slot, seen in sight.slots.items() if seen.running]
    recorded = f"{record.generation} (revision {record.revision})"
    if record.quarantine:
        recorded += f", in quarantine: {record.quarantine.reason}"
    older = is_newer(mark, record) or sight.generation > record.generation
    return Comparison(
        "generation", recorded, ", ".join(named), agrees=record.quarantine is None and not older
    )


def _runs(record: ServiceRecord, sight: ServiceSight, slot: Slot) -> Comparison:
    kept, seen = record.slots[slot], sight.slots[slot]
    # A worker's Pods come with its weight, and go with it.
    rests = record.works_alone and not record.desired[slot]
    wanted = [each for each in (kept.version, kept.incoming) if each] if kept.running and not rests else []
    recorded = (
        f"{kept.state}: {' or '.join(each.short for each in wanted)}" if wanted else f"{kept.state}: no Pods"
    )
    running = seen.running
    if seen.unreadable:
        return Comparison(f"{slot} runs", recorded, seen.unreadable, agrees=False)
    there = running is not None and running.replicas > 0
    agrees = there == bool(wanted) and (
        not wanted or running is None or any(not other_version(running, each) for each in wanted)
    )
    found = f"{running.replicas} Pods of {running.version or running.image}" if running else "no Deployment"
    return Comparison(f"{slot} runs", recorded, found, agrees)


def _targets(sight: ServiceSight, slot: Slot) -> Comparison:
    weight, healthy = sight.fittings.weights[slot], sight.slots[slot].healthy
    found = "unknown" if healthy is None else f"{healthy} healthy"
    return Comparison(
        f"{slot} targets", "some" if weight else "any", found, agrees=not weight or bool(healthy)
    )
