"""A service in a line, and what of it needs a person (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.failover.model import Run, nobody_moves
from candlefish.release.manifests.model import runner_name
from candlefish.service.model import BadVersion, Remnant, Slot
from candlefish.service.record import ServiceRecord, UnreadableRecord
from candlefish.views.entries import without_arithmetic
from candlefish.views.facts import ReleaseFacts, Surroundings
from candlefish.views.model import EntryView, Left, NeedView, Reader, ReleaseView, ServiceCell, Tone, Who
from candlefish.views.questions import people_words
from candlefish.views.release_view import release_view
from candlefish.views.slots import candidate_of, version_view
from candlefish.views.words import DAY, HOUR, lasting, spelled

# For how long a version that was taken back asks a person to look.
LOOKED_FOR = DAY
_STATUS_COMMAND = "candlefish status {service} -e {environment}"


def owner_in(service: str, catalog: Catalog) -> str:
    """Who owns a service, as the catalog says; empty where it has none of that name."""
    declared = catalog.services.get(service)
    return declared.owner if declared else ""


def service_cell(
    record: ServiceRecord,
    facts: ReleaseFacts | None,
    around: Surroundings,
    reader: Reader,
    catalog: Catalog,
    now: float,
) -> tuple[ServiceCell, tuple[NeedView, ...]]:
    """A service as it stands, and what of it needs a person. `facts` are of the release that it is about, if any."""
    cell, needs = _cell(record, facts, around, reader, catalog, now)
    if record.remnant and not record.quarantine:
        cell, need = _with_remnant(cell, record, record.remnant)
        needs = (*needs, need)
    slot = left_by_rollback(record)
    if slot is None:
        return cell, needs
    version = record.slots[slot].version
    whose = f"Pods of {version.short}" if version else "Pods"
    told = (
        f"{record.service} was rolled back, and slot {slot} keeps its Pods, without traffic: the reconciler goes on trying; "
        f"look at what hinders {runner_name(record, slot)}"
    )
    tone: Tone = "warning" if cell.tone in ("good", "info") else cell.tone
    cell = msgspec.structs.replace(
        cell, says=f"{cell.says}; {whose} are left in slot {slot}", tone=tone, needs_person=True
    )
    return cell, (*needs, _need(record, record.earlier_writers_at, "warning", told, _STATUS_COMMAND))


def _with_remnant(cell: ServiceCell, record: ServiceRecord, remnant: Remnant) -> tuple[ServiceCell, NeedView]:
    """A service with what its rollback could not do, which stands in the way of saying that all is where it belongs."""
    version = record.slots[remnant.slot].version
    label = version.short if version else f"what is in slot {remnant.slot}"
    what = {
        "traffic_left": f"users are still on {label}, which was rolled back",
        "not_restored": f"{label}, which the rollback brings back, does not run",
    }[remnant.kind]
    says = f"{cell.says}; {what}" if record.holder else what
    need = _need(record, remnant.at, "bad", f"{record.service}: {what}: {remnant.reason}", _STATUS_COMMAND)
    return msgspec.structs.replace(cell, says=says, tone="bad", needs_person=True), need


def left_by_rollback(record: ServiceRecord) -> Slot | None:
    """The slot whose Pods a rollback could not take (`capacity_left`), for as long as they are there.

    A promotion's slot is retired as well, after its window; a rollback leaves no window behind.
    """
    if record.holder or record.rollback or record.quarantine or record.window_until:
        return None
    return next((slot for slot, each in record.slots.items() if each.retiring and each.running), None)


def _cell(
    record: ServiceRecord,
    facts: ReleaseFacts | None,
    around: Surroundings,
    reader: Reader,
    catalog: Catalog,
    now: float,
) -> tuple[ServiceCell, tuple[NeedView, ...]]:
    live = record.stable_version
    freeze = around.freeze_of(record.service)
    cell = ServiceCell(
        environment=record.environment,
        service=record.service,
        says="",
        tone="good",
        version=version_view(live) if live else None,
        owner=owner_in(record.service, catalog),
        asleep=around.asleep,
        frozen=freeze is not None,
        held=bool(record.holder and record.rollback is None and record.stops),
    )
    if record.quarantine:
        says = f"in quarantine: {record.quarantine.reason}; nobody acts by its record"
        need = _need(
            record,
            record.quarantine.at,
            "bad",
            f"{record.service} is {says}",
            "candlefish records verify {service} -e {environment}",
        )
        return msgspec.structs.replace(cell, says=says, tone="bad", needs_person=True), (need,)
    if facts is not None and (facts.holds_it or facts.goes_back):
        return _with_release(cell, record, facts, reader, catalog)
    if record.holder:
        says = f"not known: release {(record.rollback or record.holder).release} could not be read"
        return msgspec.structs.replace(cell, says=says, tone="unknown"), ()
    if live is None:
        return msgspec.structs.replace(cell, says="nothing has been released yet", tone="info"), ()
    if bad := recently_bad(record, now):
        label = _label(record, bad)
        why = without_arithmetic(bad.reason)
        says = f"{label} was rolled back {spelled(now - bad.at)} ago: {why}; all traffic on {live.short}"
        told = f"{record.service} {label} was rolled back: {why}; find out why, and release a mended version"
        need = _need(record, bad.at, "bad", told, _STATUS_COMMAND)
        last = EntryView(bad.at, "rolled_back", "rolled back", "bad", why, Who("control-plane"))
        return msgspec.structs.replace(cell, says=says, tone="bad", needs_person=True, last=last), (need,)
    cell = _at_rest(cell, record, around, now)
    if facts is not None and facts.in_window and cell.tone == "good":
        view = release_view(facts, reader, catalog)
        cell = msgspec.structs.replace(cell, says=view.says, tone=view.tone)
    return cell, ()


def _at_rest(cell: ServiceCell, record: ServiceRecord, around: Surroundings, now: float) -> ServiceCell:
    live = record.stable_version
    assert live and record.stable
    tone: Tone = "good"
    says = f"all traffic on {live.short}"
    if not record.balanced and record.works_alone:
        says = f"{live.short} works"
    left: Left | None = None
    if record.window_until > now:
        left = Left("window", record.window_until, "then the version before is taken away")
        says = f"{live.short} is live; watched for {lasting(record.window_until - now)} more"
    if not record.slots[record.stable].running:
        says, tone = f"{live.short} has no capacity on record", "warning"
    if around.asleep or around.going:
        tone = "info"
        says = around.going or f"asleep; {live.short} when it wakes"
        left = sleep_left(around) or left
    return msgspec.structs.replace(
        cell,
        says=says,
        tone=tone,
        left=left,
        release=record.promoted_release,
        status="promoted" if record.promoted_release else None,
    )


def _with_release(
    cell: ServiceCell, record: ServiceRecord, facts: ReleaseFacts, reader: Reader, catalog: Catalog
) -> tuple[ServiceCell, tuple[NeedView, ...]]:
    view = release_view(facts, reader, catalog)
    slot = candidate_of(record)
    old, new = cell.version, view.new
    weight = record.desired.get(slot, 0) if slot and facts.holds_it else 0
    arrow = f"{old.label} -> {new.label}" if old and not facts.goes_back else new.label
    says = f"{arrow}: {view.says}" if facts.goes_back else f"{arrow}: {weight}%, {view.says}"
    cell = msgspec.structs.replace(
        cell,
        says=says,
        tone=view.tone,
        incoming=new,
        weight=weight,
        release=view.id,
        status=view.status,
        step=view.step,
        steps=len(view.steps),
        left=view.left[0] if view.left else None,
        last=_last(facts, view),
    )
    needs = needs_of(view, facts)
    return msgspec.structs.replace(cell, needs_person=bool(needs)), needs


def needs_of(view: ReleaseView, facts: ReleaseFacts) -> tuple[NeedView, ...]:
    """What of a release under way needs a person: an answer, or an end of what a person paused."""
    question = view.question
    if question is None:
        return _paused(view, facts)
    asked = facts.question
    since = facts.record.holder.since if facts.record and facts.record.holder else facts.now
    says = f"{view.service} {view.new.label} waits for an answer by {people_words(question.may_answer)}: {question.asks}"
    command = f'candlefish approve {view.id} -e {view.environment} --question {question.id} --reason "..."'
    if asked and asked.needed > 1:
        says += f" ({len(question.given)} of {question.needed} said yes)"
    return (
        NeedView(
            since or view.started_at,
            "warning",
            says,
            view.environment,
            view.service,
            view.id,
            question,
            view.actions,
            command,
        ),
    )


def _paused(view: ReleaseView, facts: ReleaseFacts) -> tuple[NeedView, ...]:
    """What nobody but a person lets go on. Holds of signals end with their signals."""
    record = facts.record
    pauses = [hold for hold in record.holds if hold.is_pause] if record and facts.holds_it else []
    if not pauses:
        return ()
    why = "; ".join(dict.fromkeys(f"{hold.by}: {hold.reason}" for hold in pauses))
    says = f"{view.service} {view.new.label} is paused until somebody lets it go on ({why})"
    command = f'candlefish resume {view.id} -e {view.environment} --reason "..."'
    since = min(hold.since for hold in pauses)
    need = NeedView(
        since, "warning", says, view.environment, view.service, view.id, None, view.actions, command
    )
    return (need,)


def unreadable_cell(
    lost: UnreadableRecord, environment: str, catalog: Catalog, now: float
) -> tuple[ServiceCell, NeedView]:
    """A service whose record cannot be read."""
    cell = ServiceCell(
        environment,
        lost.service,
        "not known: its record could not be read",
        "unknown",
        owner=owner_in(lost.service, catalog),
        needs_person=True,
    )
    says = f"{lost.service}: {lost.why}"
    return cell, NeedView(
        now // HOUR * HOUR,
        "bad",
        says,
        environment,
        lost.service,
        command=f"candlefish records verify -e {environment}",
    )


def recently_bad(record: ServiceRecord, now: float) -> BadVersion | None:
    """The version that was taken back last, while nothing was released over it and nobody can have looked yet."""
    bad = record.bad[-1] if record.bad else None
    if bad is None or record.holder or now - bad.at > LOOKED_FOR or bad.at < record.generation_at - 1.0:
        return None
    return bad


def _label(record: ServiceRecord, bad: BadVersion) -> str:
    versions = [slot.version for slot in record.slots.values() if slot.version]
    known = next((version.short for version in versions if bad.names(version)), "")
    return known or bad.image.partition("@sha256:")[2][:12] or "a version"


def sleep_left(around: Surroundings) -> Left | None:
    """When an environment falls asleep or wakes; None where that is not known."""
    if not around.turns_at:
        return None
    return Left("sleep", around.turns_at, "wakes then" if around.asleep else "falls asleep then")


def _last(facts: ReleaseFacts, view: ReleaseView) -> EntryView | None:
    """What happened last, as far as one glance tells: what the timeline said, or the judge's newest look."""
    if view.timeline:
        return msgspec.structs.replace(view.timeline[0], evidence={})
    holder = facts.record.holder if facts.record else None
    if facts.seen and (holder is None or facts.seen.at >= holder.since):
        return EntryView(facts.seen.at, "judged", "judged", view.tone, view.evidence.says, Who("judge"))
    step = next((each for each in view.steps if each.state == "now"), None)
    if holder and holder.since and step:
        return EntryView(
            holder.since, step.kind, step.title, "info", f"{step.title} began", Who("control-plane")
        )
    return None


def _need(record: ServiceRecord, at: float, tone: Tone, says: str, command: str) -> NeedView:
    words = {"service": record.service, "environment": record.environment}
    return NeedView(at, tone, says, record.environment, record.service, command=command.format(**words))


def failover_need(run: Run, now: float) -> NeedView:
    """A failover that waits for people."""
    asks, left_alone = run.status == "awaiting_approval", moved_by_nobody(run, now)
    answer = f"waits for an answer ({', '.join(run.open_questions) or 'go'})"
    says = left_alone or (answer if asks else "has stopped")
    return NeedView(
        run.moved_at if left_alone else run.resumed_at or run.requested_at,
        "warning" if asks else "bad",
        f"the failover of {run.target} to {run.to} {says}: {run.why or run.reason}",
        run.environment,
        command=f"candlefish failover {run.target} -e {run.environment} {'--approve' if asks else '--plan'}",
    )


def moved_by_nobody(run: Run, now: float) -> str:
    """That whoever moved a failover must have died, and since when; empty where somebody moves it, or need not."""
    if not nobody_moves(run, now):
        return ""
    return f"is moved by nobody, nothing of it was done for {spelled(now - run.moved_at)}"


def waking_need(around: Surroundings, environment: str) -> NeedView:
    """An environment that does not come up by itself."""
    says = f"{environment} is not awake, and was to be: {around.not_awake}"
    command = f"candlefish capacity show -e {environment}"
    return NeedView(around.not_awake_since, "bad", says, environment, command=command)


def marked(cell: ServiceCell, needs: Sequence[NeedView]) -> ServiceCell:
    """A service of which a signal needs a person: it is not shown as well."""
    if not any(need.service == cell.service for need in needs):
        return cell
    tone: Tone = "warning" if cell.tone in ("good", "info") else cell.tone
    return msgspec.structs.replace(cell, tone=tone, needs_person=True)


def newest_first(needs: list[NeedView]) -> tuple[NeedView, ...]:
    """What needs a person, newest first."""
    return tuple(sorted(needs, key=lambda need: (-need.at, need.service)))
