"""The interpreter of plans: which step comes next, and whether it may."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.freeze import refuse_frozen
from candlefish.release.journal import Journal
from candlefish.release.model import LEASE_MARGIN, PlanStep, Release, ReleaseEntry
from candlefish.release.payloads import Instruction, NextStepInput
from candlefish.release.plan import past_skipped
from candlefish.release.ports import Freezes
from candlefish.service.model import Hold, Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, note_step, renew_lease

# A held release looks this often in the longest time that it may be held: every 15 s of an hour. So a
# hold of any length fits into an execution history of 25,000 events.
HOLD_POLLS = 240


def next_step(
    request: NextStepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    freezes: Freezes,
    journal: Journal,
    now: Now,
) -> Instruction:
    """Which step comes next, and whether it may: renews the lease, honours holds, passes over what a person skipped.

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the release has to end.
    Frozen
        A person froze it before any user saw it; the release has to end.
    """
    at = now()
    release = journal.read(request.release)
    record = held_record(request, records)
    index = past_skipped(release.plan, request.index)
    if any(_stops(hold, release.plan, index) for hold in record.stops):
        instruction = _held(request, record, catalog, journal, release.status, at)
    elif index >= len(release.plan):
        instruction = Instruction(kind="promote", index=index, since=at)
    else:
        if is_unseen(release, record, request.slot, index):
            zone = catalog.environment(request.environment).timezone
            refuse_frozen(freezes.get(), request.service, zone, at, break_glass=release.break_glass)
        step = release.plan[index]
        instruction = Instruction(kind=step.kind, index=index + 1, since=at, step=step)
    if release.status == "held" and not record.stops:
        ended = "answered" if record.holds else "lifted"
        journal.append(request.release, ReleaseEntry(at, "resumed", f"every hold has been {ended}"))
    takes = instruction.step.within if instruction.step else float(instruction.wait)

    def go_on(newest: ServiceRecord) -> ServiceRecord:
        begun = note_step(newest, generation=request.generation, step=instruction.index, since=at)
        return renew_lease(begun, generation=request.generation, until=at + takes + LEASE_MARGIN)

    records.update(request.service, go_on)
    return instruction


def is_unseen(release: Release, record: ServiceRecord, slot: Slot, index: int) -> bool:
    """Whether no user has met the release's version before the step at that place of its plan."""
    if record.slots[slot].incoming:
        return not any(step.kind == "deploy" for step in release.plan[:index])
    # A canary that is out of the traffic for an experiment was in it.
    return not record.desired[slot] and not release.experiments


def _stops(hold: Hold, plan: tuple[PlanStep, ...], index: int) -> bool:
    """Whether a hold stops the next step: one that an experiment may answer lets it be made, and the judge look."""
    if hold.trial != "wanted" or index >= len(plan):
        return True
    step = plan[index]
    return not (step.kind in ("judge", "bake", "experiment") or (step.kind == "shift" and step.weight == 0))


def _held(
    request: NextStepInput, record: ServiceRecord, catalog: Catalog, journal: Journal, status: str, at: float
) -> Instruction:
    since = min(hold.since for hold in record.stops)
    why = "; ".join(hold.reason for hold in record.stops)
    strategy = catalog.strategy(request.environment)
    if status != "held":
        journal.append(
            request.release, ReleaseEntry(at, "held", why, evidence={"holds": [h.key for h in record.stops]})
        )
    if at - since > strategy.hold_at_most:
        ask = PlanStep(kind="approve", name="hold", within=float(strategy.ask_within))
        return Instruction(kind="approve", index=request.index, since=at, step=ask)
    poll = max(1, round(strategy.hold_at_most / HOLD_POLLS))
    return Instruction(kind="held", index=request.index, since=at, wait=poll)
