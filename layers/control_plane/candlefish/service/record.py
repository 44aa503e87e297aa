"""The record of one service in one environment, and every way it may change.

A record is a value. Each function here takes one and returns the next, or raises; none does I/O
or reads a clock. `ServiceRecords.update` stores the result if nobody else wrote in between, so what is
true of these functions is true of the system. Times are epoch seconds.

The invariants these functions keep (numbers as in docs/architecture.md):

- I2: there is at most one holder.
- I3: weight goes only to the stable slot or to the holder's candidate.
- I4: a writer whose generation is not the newest gets `StaleGeneration`.
- I5: a slot that is weighted, stable, held or inside the rollback window cannot be retired; one that
  is being retired gets no weight, and no rollback goes back to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from candlefish.bounds import LAST_MOMENT, LONGEST_NOTE, LONGEST_REASON, fit, fit_line
from candlefish.errors import (
    AlreadyStable,
    Held,
    InvalidInput,
    NothingToRollBack,
    Quarantined,
    RecordContested,
    ReleaseOver,
    ServiceBusy,
    StaleGeneration,
    VersionKnownBad,
)
from candlefish.service.model import (
    PAUSE,
    SHARE_OF_PODS,
    SLOTS,
    BadVersion,
    Hold,
    Holder,
    Quarantine,
    RecordMark,
    Remnant,
    Rollback,
    RollbackRequest,
    Sharing,
    Slot,
    SlotRecord,
    StartedJob,
    Version,
    Weights,
    all_to,
    balancer_of,
    is_balanced,
    is_stateful,
    listener_of,
    name_of_car,
    other,
)

# A record is one item of DynamoDB, which takes 400 KB: whatever grows in it is bounded where it is added
# (tests/unit/release/test_record.py has the largest).
# How many rolled-back versions a record remembers.
BAD_VERSIONS_KEPT = 20
# How many holds it has room for.
MOST_HOLDS = 40


class ServiceRecord(msgspec.Struct, frozen=True):
    """Everything the control plane remembers of one service in one environment."""

    environment: str
    service: str
    rule: str
    smoke_rule: str
    slots: dict[Slot, SlotRecord]
    desired: Weights
    # The request header, and its value, that the smoke rule forwards to a slot at weight 0.
    smoke_header: str = "x-candlefish-smoke"
    smoke_token: str = ""
    desired_generation: int = 0
    # When these weights were intended, and the revision that this made; zero on records of older code.
    intended_at: float = 0.0
    intended_revision: int = 0
    # The intention that was seen to be followed when no writer of an older one lived any more: what differs from it
    # later was changed by somebody else.
    settled_revision: int = 0
    revision: int = 0
    generation: int = 0
    # When the newest generation took over: older writers are dead one function timeout later.
    generation_at: float = 0.0
    # When an earlier generation may last have begun to write to the cluster.
    earlier_writers_at: float = 0.0
    stable: Slot | None = None
    holder: Holder | None = None
    # The release whose version is stable now, and until when its predecessor is kept at capacity.
    promoted_release: str = ""
    window_until: float = 0.0
    # Name of the execution that watches over the window.
    watcher: str = ""
    rollback: Rollback | None = None
    # What the newest rollback could not do and nobody has seen done since; a slot that kept its Pods says so itself.
    remnant: Remnant | None = None
    holds: tuple[Hold, ...] = ()
    bad: tuple[BadVersion, ...] = ()
    # What others had on the load balancer for its host at the last look: logins of its rule, rules in front of it.
    beside: tuple[str, ...] = ()
    # How many Pods a release shares between the slots, where their share is what moves traffic; None until it began to.
    sharing: Sharing | None = None
    # Set when the record turned out to be older than the world: it was restored, and is not to be obeyed.
    quarantine: Quarantine | None = None
    # The Jobs of the newest release that were let run; what they did, no rollback undoes.
    jobs: tuple[StartedJob, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service} in {self.environment}"

    @property
    def balanced(self) -> bool:
        """Whether a load balancer moves its traffic; otherwise the share of Pods does."""
        return is_balanced(self.rule)

    @property
    def works_alone(self) -> bool:
        """Whether it is a worker, whose Pods take work up by themselves wherever they run: weight 0 is no Pods."""
        return self.rule.startswith(f"{SHARE_OF_PODS}worker:")

    @property
    def stateful(self) -> bool:
        """Whether it is a StatefulSet, which is updated in place: one of its slots has it, the other one nothing."""
        return is_stateful(self.rule)

    @property
    def stable_version(self) -> Version | None:
        return self.slots[self.stable].version if self.stable else None

    @property
    def listener(self) -> str:
        """The ARN of the listener that the service is behind."""
        return listener_of(self.rule)

    @property
    def load_balancer(self) -> str:
        """The load balancer that it is behind, as CloudWatch knows it: `app/name/id`."""
        return balancer_of(self.rule)

    @property
    def mark(self) -> RecordMark:
        """What the world is marked with once it follows this record."""
        return RecordMark(self.revision, self.generation)

    def weights_by_target_group(self) -> dict[str, int]:
        """The desired weights as the listener rule spells them, zeros written out."""
        return {self.slots[slot].target_group: self.desired[slot] for slot in SLOTS}

    @property
    def stops(self) -> tuple[Hold, ...]:
        """The holds that keep a release from going forward: all that no experiment has answered."""
        return tuple(hold for hold in self.holds if hold.trial != "answered")

    def job(self, name: str) -> StartedJob | None:
        """What is written down of a Job of that name in the cluster; None when it was never let run."""
        return next((job for job in self.jobs if job.name == name), None)

    def held_for(self, key: str) -> bool:
        """Whether the hold of a key is written down."""
        return any(hold.key == key for hold in self.holds)


class UnreadableRecord(msgspec.Struct, frozen=True):
    """A record that is there and that this code cannot read: whose it is, and why."""

    service: str
    why: str


class AllRecords(msgspec.Struct, frozen=True):
    """The records of one environment. What can be read is iterated over; `unreadable` harms none of it."""

    readable: tuple[ServiceRecord, ...]
    unreadable: tuple[UnreadableRecord, ...] = ()

    def __iter__(self) -> Iterator[ServiceRecord]:
        return iter(self.readable)


def contradiction(record: ServiceRecord) -> str:
    """What in a record cannot be, as none of the transitions makes it; empty when nothing is wrong.

    A hand may have written it: whoever acts by it would do something that nobody decided.
    """
    if set(record.slots) != set(SLOTS) or set(record.desired) != set(SLOTS):
        return "it does not say something of both slots"
    if min(record.desired.values()) < 0 or sum(record.desired.values()) != 100:
        return f"its weights are {record.desired}"
    if record.stable and record.slots[record.stable].version is None:
        return f"its stable slot {record.stable} has no version"
    taken = [slot for slot in record.slots.values() if slot.state == "candidate" or slot.incoming]
    if record.holder and not record.rollback and not taken:
        return f"release {record.holder.release} holds it, and no slot has its version"
    if any(slot.state == "candidate" and slot.version is None for slot in taken):
        return "its candidate has no version"
    times = [record.generation_at, record.window_until, record.holder.until if record.holder else 0.0]
    if min(times) < 0 or max(times) > LAST_MOMENT:
        return "a time in it is none of ours"
    return ""


def candidate_slot(record: ServiceRecord, *, in_place: bool) -> Slot:
    """Where a new version goes: the idle slot, or the stable one for an in-place update.

    Before the first release the rule rests on an empty slot, so the first version goes to the other one
    and gets no traffic before it is ready.
    """
    if record.stable is None:
        return "blue" if record.desired["green"] else "green"
    return record.stable if in_place else other(record.stable)


def require_generation(record: ServiceRecord, generation: int) -> None:
    """Raise `StaleGeneration` unless the caller's generation is the newest, `Quarantined` when nobody may act by it."""
    if record.generation != generation:
        raise StaleGeneration(
            f"{record.name} is at generation {record.generation}, the caller holds {generation}: "
            "a newer release or a rollback took over; nothing was changed by this call"
        )
    _refuse_quarantined(record)


def quarantine(record: ServiceRecord, *, newer: RecordMark, where: str, now: float) -> ServiceRecord:
    """Let nobody act by a record that is older than the world; `where` is what shows the `newer` mark.

    The record may have moved on since it was compared: one that is as new as the world stays as it is.
    """
    if record.quarantine or not is_newer(newer, record):
        return record
    reason = (
        f"{where} was written at {_told(newer)}, the record is at {_told(record.mark)}: "
        "the record was restored to an earlier time"
    )
    return msgspec.structs.replace(record, quarantine=Quarantine(reason, now))


def is_newer(mark: RecordMark, record: ServiceRecord) -> bool:
    """Whether something was written by a record that is newer than this one."""
    return mark.revision > record.revision or mark.generation > record.generation


def _told(mark: RecordMark) -> str:
    return f"generation {mark.generation}, revision {mark.revision}"


def _refuse_quarantined(record: ServiceRecord) -> None:
    if record.quarantine:
        raise Quarantined(
            f"the record of {record.name} is in quarantine ({record.quarantine.reason}); nothing was changed. "
            f"See what is different with: candlefish records verify {record.service} -e {record.environment}, "
            f"then: candlefish records rebuild {record.service} -e {record.environment} "
            "(docs/runbook.md, the record was restored)"
        )


def acquire(
    record: ServiceRecord,
    *,
    release: str,
    execution: str,
    version: Version,
    in_place: bool,
    now: float,
    lease: float,
    allow_bad: bool = False,
) -> ServiceRecord:
    """Take the service for a release and put its version into the candidate slot.

    Asking again for the same release returns the record as it is. Taking the service closes an
    open rollback window: the idle slot is needed for the new version. A slot that is being retired is
    taken over: the new generation stands on its Deployment before its Pods are woken, and refuses
    whoever still retires it.

    Raises
    ------
    Quarantined
        The record is older than the world.
    ServiceBusy
        Another release holds the service, or a rollback has not finished.
    AlreadyStable
        The version asked for is the stable one.
    VersionKnownBad
        The version was rolled back before and `allow_bad` is not set.
    """
    _refuse_quarantined(record)
    if record.holder and record.holder.release == release:
        return record
    _refuse_taken(record, now)
    _refuse_unwanted(record, version, allow_bad=allow_bad)
    slot = candidate_slot(record, in_place=in_place)
    current = record.slots[slot]
    if record.stable == slot:
        taken = msgspec.structs.replace(current, incoming=version)
    else:
        taken = SlotRecord(
            target_group=current.target_group,
            state="candidate",
            version=version,
            running=True,
            release=release,
        )
    # Whoever retires a slot may do so until this generation is written.
    retiring = any(record.slots[each].retiring for each in SLOTS)
    return msgspec.structs.replace(
        record,
        generation=record.generation + 1,
        generation_at=now,
        earlier_writers_at=now if retiring else record.earlier_writers_at,
        holder=Holder(release=release, execution=execution, until=now + lease),
        slots={**record.slots, slot: taken},
        window_until=0.0,
        holds=(),
        sharing=None,
        jobs=(),
    )


def _refuse_taken(record: ServiceRecord, now: float) -> None:
    if record.rollback:
        raise ServiceBusy(
            f"{record.name} is being rolled back ({record.rollback.reason}); "
            "start the release again when that has finished"
        )
    if record.holder and record.holder.until > now:
        raise ServiceBusy(
            f"{record.name} is held by release {record.holder.release}; wait for it, "
            f"or take it back with: candlefish rollback {record.service} -e {record.environment}"
        )
    if record.holder:
        # The lease ran out: whoever held it may have left weight on its candidate.
        raise ServiceBusy(
            f"{record.name} was held by release {record.holder.release}, whose lease ran out; "
            "the reconciler rolls it back within a minute, start the release again after that"
        )


def _refuse_unwanted(record: ServiceRecord, version: Version, *, allow_bad: bool) -> None:
    if version.same_as(record.stable_version):
        raise AlreadyStable(
            f"{version.short} is already the stable version of {record.name}, its configuration too; nothing to do"
        )
    known = next((bad for bad in record.bad if bad.names(version)), None)
    if known and not allow_bad:
        raise VersionKnownBad(
            f"{version.short} was rolled back from {record.name} before ({known.reason}); "
            'release a newer version or another configuration, or insist with "allow_bad": true'
        )


def note_job(record: ServiceRecord, *, generation: int, job: StartedJob) -> ServiceRecord:
    """Write down that a Job is about to be let run. Writing it again returns the record as it is.

    Raises
    ------
    StaleGeneration
        No release of the caller's holds the service: nothing is to be let run.
    RecordContested
        Another look wrote down another object of that name, which may have run: look again, and see.
    """
    require_generation(record, generation)
    if record.holder is None or record.rollback:
        raise StaleGeneration(f"no release holds {record.name} any more; job {job.job} is not to be run")
    noted = record.job(job.name)
    if noted and noted.uid != job.uid:
        raise RecordContested(
            f"another Job of that name is written down for {record.name} ({job.name}, uid {noted.uid}); the one with "
            f"uid {job.uid} is not let run"
        )
    if noted:
        return record
    return msgspec.structs.replace(record, jobs=(*record.jobs, job))


def note_step(record: ServiceRecord, *, generation: int, step: int, since: float) -> ServiceRecord:
    """Write down which step of its plan the holder begins, the first being 1, and when; begun again it stays as it is."""
    require_generation(record, generation)
    if record.holder is None or record.rollback or record.holder.step == step:
        return record
    return msgspec.structs.replace(
        record, holder=msgspec.structs.replace(record.holder, step=step, since=since)
    )


def renew_lease(record: ServiceRecord, *, generation: int, until: float) -> ServiceRecord:
    """Keep the lease until the given time; never shortens it."""
    require_generation(record, generation)
    if record.holder is None or record.holder.until >= until:
        return record
    return msgspec.structs.replace(record, holder=msgspec.structs.replace(record.holder, until=until))


def intend_weight(
    record: ServiceRecord, *, generation: int, slot: Slot, weight: int, now: float = 0.0
) -> ServiceRecord:
    """Write down that `slot` shall get `weight` percent of the traffic and the other slot the rest.

    Raises
    ------
    InvalidInput
        The weight is not a percentage, or would go to a slot whose version is not known good
        and is not the holder's candidate.
    Held
        The weight would grow, and something holds the release since the step was handed out.
    """
    require_generation(record, generation)
    if record.holder is None or record.rollback:
        raise StaleGeneration(
            f"no release holds {record.name} any more; its weights are not for this caller to set"
        )
    if weight > record.desired[slot]:
        _refuse_held(record)
    if not 0 <= weight <= 100:
        raise InvalidInput(f"weight {weight} for {record.name} is not a percentage from 0 to 100")
    weights: Weights = {slot: weight, other(slot): 100 - weight}
    for each, share in weights.items():
        state = record.slots[each].state
        if share > 0 and state not in ("stable", "candidate"):
            raise InvalidInput(
                f"slot {each} of {record.name} is {state}; weight may only go to a stable or candidate version"
            )
        if share > 0 and record.slots[each].retiring:
            raise InvalidInput(
                f"slot {each} of {record.name} is being retired; release a version into it to give it weight"
            )
    return msgspec.structs.replace(
        record,
        desired=weights,
        desired_generation=generation,
        intended_at=now,
        intended_revision=record.revision + 1,
    )


def settle_weights(record: ServiceRecord, *, seen: int) -> ServiceRecord:
    """Write down that the intention of revision `seen` is followed for good; a newer one is not settled by it."""
    if record.intended_revision != seen or record.settled_revision == seen:
        return record
    return msgspec.structs.replace(record, settled_revision=seen)


def _refuse_held(record: ServiceRecord) -> None:
    if record.stops:
        why = "; ".join(hold.reason for hold in record.stops)
        raise Held(f"the release of {record.name} is held ({why}); its weights stay as they are")


def begin_sharing(record: ServiceRecord, sharing: Sharing, *, generation: int) -> ServiceRecord:
    """Write down how many Pods the slots share, before the first of them is moved; what stands there stays."""
    require_generation(record, generation)
    if record.sharing or record.holder is None or record.rollback:
        return record
    return msgspec.structs.replace(record, sharing=sharing)


def promote(record: ServiceRecord, *, generation: int, now: float, window: float) -> ServiceRecord:
    """Make the holder's version the stable one, free the service, open the rollback window.

    A first version has no predecessor to go back to, so its window is closed from the start.

    Promoting again after the holder was freed by the same generation returns the record as it is.

    Raises
    ------
    Held
        Something holds the release since its last step.
    """
    require_generation(record, generation)
    if record.rollback:
        raise StaleGeneration(f"{record.name} is being rolled back; nothing can be promoted")
    if record.holder is None:
        return record
    _refuse_held(record)
    slot = next(s for s in SLOTS if record.slots[s].state == "candidate" or record.slots[s].incoming)
    if record.desired[slot] != 100:
        raise InvalidInput(
            f"{record.name} cannot be promoted: slot {slot} has {record.desired[slot]}% of the traffic, not 100%"
        )
    before = record.slots[other(slot)]
    first = record.stable is None
    slots = dict(record.slots)
    if (incoming := slots[slot].incoming) is not None:
        slots[slot] = msgspec.structs.replace(
            slots[slot],
            version=incoming,
            incoming=None,
            before=slots[slot].version,
            release=record.holder.release,
        )
    else:
        slots[slot] = msgspec.structs.replace(slots[slot], state="stable")
        if before.state == "stable":
            slots[other(slot)] = msgspec.structs.replace(before, state="previous")
    return msgspec.structs.replace(
        record,
        slots=slots,
        stable=slot,
        promoted_release=record.holder.release,
        watcher=f"{record.holder.release}-watch",
        holder=None,
        remnant=None,
        holds=(),
        window_until=now if first else now + window,
        earlier_writers_at=now,
    )


def shorten_window(record: ServiceRecord, train: str, until: float) -> ServiceRecord:
    """Shorten the rollback window of a train's release; a window that closed stays closed."""
    if record.promoted_release != name_of_car(train, record.service) or record.window_until <= until:
        return record
    return msgspec.structs.replace(record, window_until=until)


def begin_rollback(
    record: ServiceRecord, request: RollbackRequest, *, execution: str, now: float, lease: float
) -> ServiceRecord:
    """Decide a rollback: a new generation and all traffic on the version known to be good.

    Works while a release runs, and after one was promoted for as long as its rollback window is
    open. A rollback that is already under way is returned as it is; one whose lease ran out is
    taken over by the calling execution.

    Raises
    ------
    NothingToRollBack
        No release is running, and no previous version is kept at capacity; or the request names a
        release that is neither running nor inside its window.
    Quarantined
        The record is older than the world: what it calls good may not run any more (docs/decisions/0014).
    """
    _refuse_quarantined(record)
    if record.rollback:
        if record.holder and record.holder.until > now:
            return record
        return msgspec.structs.replace(record, holder=Holder(record.rollback.id, execution, now + lease))
    subject = record.holder.release if record.holder else record.promoted_release
    if request.release and request.release != subject:
        raise NothingToRollBack(
            f"release {request.release} no longer concerns {record.name} "
            f"({subject or 'no release'} came after it); nothing was changed"
        )
    if request.only_running and not record.holder:
        raise NothingToRollBack(
            f"release {subject} of {record.name} is over, it was promoted; nothing was changed. While its rollback "
            f"window is open: candlefish rollback {record.service} -e {record.environment}"
        )
    if record.holder:
        decided = _rollback_of_running(record, request, now)
    else:
        decided = _rollback_of_promoted(record, request, now)
    generation = record.generation + 1
    return msgspec.structs.replace(
        decided,
        generation=generation,
        generation_at=now,
        earlier_writers_at=now,
        desired_generation=generation,
        intended_at=now,
        intended_revision=record.revision + 1,
        holder=Holder(release=request.id, execution=execution, until=now + lease),
        window_until=0.0,
        remnant=None,
        holds=(),
    )


def _rollback_of_running(record: ServiceRecord, request: RollbackRequest, now: float) -> ServiceRecord:
    assert record.holder
    slot = next(s for s in SLOTS if record.slots[s].state == "candidate" or record.slots[s].incoming)
    current = record.slots[slot]
    in_place = current.incoming is not None
    leaving = current.incoming or current.version
    assert leaving
    state: Literal["bad", "previous"] = "bad" if request.disposition == "bad" else "previous"
    stop = record.holder.execution if request.stop else ""
    slots = dict(record.slots)
    slots[slot] = (
        msgspec.structs.replace(current, incoming=None, release=request.id)
        if in_place
        else msgspec.structs.replace(current, state=state)
    )
    return msgspec.structs.replace(
        record,
        slots=slots,
        desired=all_to(record.stable or other(slot)),
        rollback=_rollback(request, record.holder.release, slot, now, stop, in_place),
        bad=_remember(record, leaving, request, now),
    )


def _rollback_of_promoted(record: ServiceRecord, request: RollbackRequest, now: float) -> ServiceRecord:
    if record.stable is None or record.window_until <= now:
        raise NothingToRollBack(
            f"{record.name} has no release under way and its rollback window is closed; "
            "release the version you want instead"
        )
    slot, back = record.stable, other(record.stable)
    current, previous = record.slots[slot], record.slots[back]
    assert current.version
    slots = dict(record.slots)
    if current.before is not None:
        slots[slot] = msgspec.structs.replace(
            current, version=current.before, before=None, release=request.id
        )
        return msgspec.structs.replace(
            record,
            slots=slots,
            desired=all_to(slot),
            rollback=_rollback(request, record.promoted_release, slot, now, "", True),
            bad=_remember(record, current.version, request, now),
        )
    if previous.state != "previous" or not previous.running or previous.retiring:
        why = "being retired" if previous.retiring else previous.state
        raise NothingToRollBack(
            f"{record.name} keeps no previous version at capacity (slot {back} is {why}); "
            "release the version you want instead"
        )
    slots[back] = msgspec.structs.replace(previous, state="stable")
    slots[slot] = msgspec.structs.replace(
        current, state="bad" if request.disposition == "bad" else "previous"
    )
    return msgspec.structs.replace(
        record,
        slots=slots,
        stable=back,
        desired=all_to(back),
        rollback=_rollback(request, record.promoted_release, slot, now, "", False),
        bad=_remember(record, current.version, request, now),
    )


def _rollback(
    request: RollbackRequest, release: str, slot: Slot, now: float, stop: str, redeploy: bool
) -> Rollback:
    return Rollback(
        id=request.id,
        release=release,
        slot=slot,
        disposition=request.disposition,
        reason=request.reason,
        by=request.by,
        at=now,
        stop=stop,
        redeploy=redeploy,
    )


def _remember(
    record: ServiceRecord, version: Version, request: RollbackRequest, now: float
) -> tuple[BadVersion, ...]:
    if request.disposition != "bad":
        return record.bad
    entry = BadVersion(
        version.image, version.bundle_digest, request.reason, now, version.configuration_digest
    )
    kept = (*record.bad, entry)[-BAD_VERSIONS_KEPT:]
    return tuple(msgspec.structs.replace(each, reason=fit(each.reason, LONGEST_NOTE)) for each in kept)


def leave_remnant(record: ServiceRecord, remnant: Remnant, *, generation: int) -> ServiceRecord:
    """Write down what the rollback under way could not do; what stands there of that kind keeps its beginning."""
    require_generation(record, generation)
    if record.rollback is None:
        return record
    return msgspec.structs.replace(record, remnant=_newest(record, remnant))


def clear_remnant(record: ServiceRecord, *, seen: Remnant) -> ServiceRecord:
    """Forget what a rollback could not do: it was seen done. What another one could not do since stays."""
    return msgspec.structs.replace(record, remnant=None) if record.remnant == seen else record


def _newest(record: ServiceRecord, remnant: Remnant | None) -> Remnant | None:
    """What is left, as long as it has been so."""
    if remnant is None:
        return None
    before = record.remnant
    at = before.at if before and before.kind == remnant.kind else remnant.at
    return msgspec.structs.replace(remnant, at=at, reason=fit(remnant.reason, LONGEST_REASON))


def end_rollback(
    record: ServiceRecord, *, generation: int, now: float, remnant: Remnant | None = None
) -> ServiceRecord:
    """Free the service after a rollback; `remnant` is what it could not do.

    A slot that the rollback could not scale down goes on being retired (`SlotRecord.retiring`).
    """
    require_generation(record, generation)
    slots = dict(record.slots)
    if (rollback := record.rollback) and not rollback.redeploy and slots[rollback.slot].running:
        slots[rollback.slot] = msgspec.structs.replace(slots[rollback.slot], retiring=True)
    return msgspec.structs.replace(
        record,
        rollback=None,
        holder=None,
        remnant=_newest(record, remnant),
        slots=slots,
        earlier_writers_at=now,
    )


def why_not_retire(record: ServiceRecord, slot: Slot, now: float) -> str:
    """Why a slot must keep its capacity; empty when it may be scaled down (invariant I5)."""
    if record.desired[slot] > 0:
        return f"slot {slot} of {record.name} still has {record.desired[slot]}% of the traffic"
    if record.stable == slot:
        return f"slot {slot} of {record.name} is the stable one"
    state = record.slots[slot].state
    if state == "candidate":
        return f"slot {slot} of {record.name} holds the candidate of a running release"
    if state == "previous" and record.rollback is None and record.window_until > now:
        return f"slot {slot} of {record.name} is kept at capacity until its rollback window closes"
    return ""


def begin_retiring(
    record: ServiceRecord, *, generation: int, slot: Slot, now: float
) -> tuple[ServiceRecord, str]:
    """Intend to take a slot's Pods away, before the cluster is asked to; and why not, if it is still needed.

    From here on no rollback goes back to the slot, so that nothing can come to need its Pods while
    they go. Beginning again returns the record as it is.
    """
    require_generation(record, generation)
    if why := why_not_retire(record, slot, now):
        return record, why
    retiring = msgspec.structs.replace(record.slots[slot], retiring=True)
    return msgspec.structs.replace(record, slots={**record.slots, slot: retiring}), ""


def vacate_slot(record: ServiceRecord, *, generation: int, slot: Slot, now: float) -> ServiceRecord:
    """Write down that a slot has no capacity any more; a bad version stays named in it.

    What both slots shared, nobody shares any more: what serves has the range of its own version again.
    """
    require_generation(record, generation)
    current = record.slots[slot]
    kept = current.state == "bad"
    after = msgspec.structs.replace(
        current,
        running=False,
        retiring=False,
        state="bad" if kept else "empty",
        version=current.version if kept else None,
    )
    return msgspec.structs.replace(
        record, slots={**record.slots, slot: after}, sharing=None, earlier_writers_at=now
    )


def add_hold(record: ServiceRecord, entry: Hold) -> ServiceRecord:
    """Hold the release under way. Holding twice for the same key is one hold.

    With `MOST_HOLDS` it is held well enough: no more are written down.
    """
    if record.held_for(entry.key) or len(record.holds) >= MOST_HOLDS:
        return record
    held = msgspec.structs.replace(
        entry, reason=fit(entry.reason, LONGEST_NOTE), by=fit_line(entry.by, LONGEST_NOTE)
    )
    return msgspec.structs.replace(record, holds=(*record.holds, held))


def answer_holds(record: ServiceRecord, *, generation: int) -> ServiceRecord:
    """Let the holds that an experiment may answer stop nothing any more: one has shown that it is not the canary."""
    require_generation(record, generation)
    holds = tuple(msgspec.structs.replace(h, trial="answered") if h.trial else h for h in record.holds)
    return msgspec.structs.replace(record, holds=holds)


def lift_hold(record: ServiceRecord, key: str) -> ServiceRecord:
    """Lift one hold."""
    return msgspec.structs.replace(record, holds=tuple(h for h in record.holds if h.key != key))


def pause_release(record: ServiceRecord, *, release: str, by: str, reason: str, now: float) -> ServiceRecord:
    """Let a release go no further until its pause is lifted. A person who pauses it again changes nothing.

    Raises
    ------
    ReleaseOver
        It does not hold the service, or is being rolled back.
    Held
        There is no room for one hold more.
    """
    check_running(record, release)
    if record.held_for(f"{PAUSE}{by}"):
        return record
    if len(record.holds) >= MOST_HOLDS:
        raise Held(
            f"release {release} is held {len(record.holds)} times, which is the most that is written down; nothing was "
            f"changed. To end it: candlefish abort {release} -e {record.environment}"
        )
    return add_hold(record, Hold(f"{PAUSE}{by}", reason, now, by))


def lift_pauses(record: ServiceRecord, *, release: str, by: str, of_others: bool) -> ServiceRecord:
    """Lift the pause of a person, or those of everybody; what else holds the release stays.

    Raises
    ------
    ReleaseOver
        It does not hold the service, or is being rolled back: what is held is another release.
    """
    check_running(record, release)

    def lifted(hold: Hold) -> bool:
        return hold.is_pause and (of_others or hold.key == f"{PAUSE}{by}")

    kept = tuple(hold for hold in record.holds if not lifted(hold))
    return record if len(kept) == len(record.holds) else msgspec.structs.replace(record, holds=kept)


def check_running(record: ServiceRecord, release: str) -> None:
    """Raise `ReleaseOver` unless just that release holds the service and goes forward."""
    _refuse_quarantined(record)
    if record.rollback and record.rollback.release == release:
        raise ReleaseOver(
            f"release {release} is being rolled back ({record.rollback.reason}); nothing was changed"
        )
    if record.rollback is None and record.holder and record.holder.release == release:
        return
    served = record.promoted_release == release
    raise ReleaseOver(
        f"release {release} of {record.name} is over"
        + (", it was promoted" if served else "")
        + f"; nothing was changed. To go back: candlefish rollback {record.service} -e {record.environment}"
    )


def new_record(
    environment: str,
    service: str,
    *,
    rule: str,
    smoke_rule: str,
    smoke_token: str,
    target_groups: dict[Slot, str],
    resting: Slot = "blue",
) -> ServiceRecord:
    """The first record of a service: two empty slots behind one rule, which rests on one of them."""
    return ServiceRecord(
        environment=environment,
        service=service,
        rule=rule,
        smoke_rule=smoke_rule,
        smoke_token=smoke_token,
        slots={slot: SlotRecord(target_group=target_groups[slot]) for slot in SLOTS},
        desired=all_to(resting),
    )
