"""How a release stands, in one sentence, and in which tone (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.catalog.model import Catalog
from candlefish.catalog.people import person_of
from candlefish.release.model import ReleaseEntry
from candlefish.service.model import Hold
from candlefish.views.entries import brief_harm, without_arithmetic
from candlefish.views.evidence import bad_words, harm_words
from candlefish.views.facts import ReleaseFacts
from candlefish.views.model import EvidenceView, PodsView, QuestionView, Tone
from candlefish.views.people import who_is
from candlefish.views.questions import people_words, weight_now
from candlefish.views.slots import candidate_of
from candlefish.views.steps import Whereabouts, leg_now
from candlefish.views.words import lasting, many, percentage, spelled

Said = tuple[str, Tone]
_TONES: dict[str, Tone] = {"no_harm": "good", "harmed": "bad", "cannot_tell": "unknown", "none": "info"}


def release_says(
    facts: ReleaseFacts,
    at: Whereabouts,
    evidence: EvidenceView,
    question: QuestionView | None,
    catalog: Catalog,
) -> Said:
    """What holds now of a release. What cannot be told is said, and is never good."""
    release = facts.release
    match release.status:
        case "promoted":
            return _promoted(facts, evidence)
        case "rolling_back":
            return _going_back(facts, catalog), "bad"
        case "rolled_back":
            return _rolled_back(facts, catalog), "bad"
        case "refused":
            why = (
                _reason(facts.entries, "refused")
                or release.why
                or ("" if facts.glanced else "it is not written down why")
            )
            return f"refused: {why}" if why else "refused", "bad"
        case _:
            pass
    if facts.record is None:
        return "not known: the record of its service could not be read", "unknown"
    if facts.goes_back:
        return _going_back(facts, catalog), "bad"
    if not facts.holds_it:
        return "not known: it is not over, and no longer has its service", "unknown"
    assert facts.record.holder
    if facts.record.holder.until <= facts.now:
        return (
            f"stopped: whoever released it has been gone for {spelled(facts.now - facts.record.holder.until)}; "
            "it is rolled back within minutes",
            "bad",
        )
    if facts.record.quarantine:
        return f"in quarantine: {facts.record.quarantine.reason}; nobody acts by its record", "bad"
    if question is not None:
        return f"waits for an answer by {people_words(question.may_answer)}: {question.asks}", "warning"
    if over := _unanswered(facts):
        return over, "warning"
    if facts.record.stops and (release.status == "held" or _paused(facts.record.stops)):
        return held_words(facts.record.stops, weight_now(facts)), "warning"
    return _running(facts, at, evidence)


def _running(facts: ReleaseFacts, at: Whereabouts, evidence: EvidenceView) -> Said:
    leg, new = leg_now(facts.release.plan, at), facts.release.version.short
    kind = leg.kind if leg else ""
    assert facts.record
    slot = candidate_of(facts.record)
    pods = facts.pods.get(slot) if slot else None
    match kind:
        case "judge" | "bake":
            if evidence.state == "none" or not facts.judged_now:
                return f"{new} has {weight_now(facts)}%, and is about to be judged", "info"
            return evidence.says, _TONES[evidence.state]
        case "deploy":
            return _pods_words(f"{new} is being deployed", pods)
        case "shift":
            assert leg
            return _pods_words(f"{new} is about to get {leg.weight}%", pods)
        case "smoke":
            return f"{new} is smoke tested; no user meets it", "info"
        case "hook":
            assert leg
            return f"waits for what {leg.title} says", "info"
        case "job":
            assert leg
            return f"{leg.title} runs", "info"
        case "experiment":
            return (
                f"an experiment: {new} gets no traffic for a while, to see whose fault the trouble of both versions is",
                "warning",
            )
        case "approve":
            return _answered(facts)
        case _:
            return (f"{new} is about to be promoted", "info") if at.begun else (f"{new} begins", "info")


def _unanswered(facts: ReleaseFacts) -> str:
    """What holds of a question whose time is over; empty where there is none.

    Nothing else comes after it than the machine's rollback: who asks again is told that its time is over.
    """
    question = facts.question
    if question is None or question.status != "pending" or question.expires_at > facts.now:
        return ""
    what = f"nobody answered in time whether {facts.release.version.short} may go on"
    return (
        f"{what}: the time was over {spelled(facts.now - question.expires_at)} ago; it is being rolled back"
    )


def _answered(facts: ReleaseFacts) -> Said:
    """At an approval, without a question that is open or over."""
    question = facts.question
    match question.status if question else "":
        case "denied":
            assert question
            return f"{question.by or 'somebody'} said no; it is being rolled back", "warning"
        case "approved":
            assert question
            return f"{question.by or 'somebody'} said yes to what was asked last; it goes on", "info"
        case _:
            return "waits for an answer, and no question of it can be found", "unknown"


def _pods_words(doing: str, pods: PodsView | None) -> Said:
    if pods is None or pods.unknown:
        return doing, "info"
    tone: Tone = "warning" if pods.troubles or pods.restarting else "info"
    told = f"{doing}: {pods.ready} of {many(pods.desired, 'Pod')} ready"
    return (f"{told}; {pods.troubles[0].says}" if pods.troubles else told), tone


def _promoted(facts: ReleaseFacts, evidence: EvidenceView) -> Said:
    new, record = facts.release.version.short, facts.record
    if record is None:
        return f"{new} was promoted; how it stands now is not known", "unknown"
    if facts.goes_back:
        return f"{new} was promoted and is being rolled back", "bad"
    if not facts.is_live:
        live = record.stable_version
        if live is not None and live.same_as(facts.release.version):
            return f"{new} was promoted, and is live by another release", "info"
        return f"{new} was promoted; {live.short if live else 'nothing'} is live now", "info"
    share = record.desired.get(record.stable, 0) if record.stable else 0
    if share < 100 and (coming := candidate_of(record)):
        version = record.slots[coming].version
        return (
            f"{new} is live for {share}% of the users; {version.short if version else 'another'} takes over",
            "info",
        )
    if not facts.in_window:
        return f"{new} is live for all users", "good"
    left = lasting(record.window_until - facts.now)
    old = facts.release.replaces
    kept = f", and {old.short} is kept ready to go back to" if old else ""
    says = f"{new} is live for all users; it is watched for {left} more{kept}"
    if evidence.state == "harmed":
        return f"{says}; {evidence.says}", "bad"
    if evidence.says.startswith("cannot tell:"):
        return f"{says}; {evidence.says}", "unknown"
    return says, "good"


def _going_back(facts: ReleaseFacts, catalog: Catalog) -> str:
    rollback = facts.record.rollback if facts.record and facts.goes_back else None
    why = cause_words(facts, catalog) or (without_arithmetic(rollback.reason) if rollback else "")
    return f"rolling back: {why}; {_where_back(facts)}" if why else f"rolling back; {_where_back(facts)}"


def _where_back(facts: ReleaseFacts) -> str:
    record = facts.record
    if record is None or record.rollback is None:
        return "where the traffic is cannot be told"
    rollback, stable = record.rollback, record.stable_version
    if rollback.redeploy:
        return f"{stable.short if stable else 'the version before'} is put back in place"
    group = record.slots[rollback.slot].target_group
    if facts.weights is not None and facts.weights.get(group, 0) > 0:
        return f"{facts.weights[group]}% of the traffic is still on {facts.release.version.short}"
    if stable is None:
        return f"no traffic goes to {facts.release.version.short}"
    return f"all traffic goes to {stable.short}, {facts.release.version.short} is drained"


def _rolled_back(facts: ReleaseFacts, catalog: Catalog) -> str:
    began, went = _exposed(facts), _at(facts.entries, "rolling_back")
    after = (
        f" after {spelled(went - began)}" if began is not None and went is not None and went >= began else ""
    )
    why = cause_words(facts, catalog, brief=True)
    says = f"rolled back{after}: {why}" if why else f"rolled back{after}"
    met = _met(facts)
    if began is None and went is not None and not facts.older:
        return f"{says}; no user met it"
    return f"{says}; {many(met, 'request')} met it" if met else says


def cause_words(facts: ReleaseFacts, catalog: Catalog, *, brief: bool = False) -> str:
    """Why it goes back, or went: harm that was found first, then who said so."""
    seen = facts.seen
    if seen and seen.action == "rollback":
        counts = seen.stretch if len(seen.stretch) == 4 else (0, 0, seen.new.requests, seen.new.errors)
        if brief and (told := brief_harm(seen.reason)):
            return told
        if brief and counts[2]:
            return f"{percentage(counts[3] / counts[2])} of requests {bad_words(seen.metric or 'errors')}"
        old = facts.release.replaces
        return f"harmed: {harm_words(seen, old.short if old else 'the old version')}"
    denied = next((entry for entry in facts.entries if entry.kind == "denied"), None)
    if denied:
        return f"{who_is(denied.by, catalog, facts.release.environment).name} said no: {denied.reason}"
    entry = next((entry for entry in facts.entries if entry.kind in ("rolling_back", "roll_back")), None)
    if entry is None and facts.release.why:
        entry = ReleaseEntry(0.0, "rolling_back", facts.release.why, facts.release.why_by)
    if entry is None:
        entry = next((entry for entry in facts.entries if entry.kind == "rolled_back"), None)
        if entry is None:
            return "" if facts.glanced else "it is not written down why"
        return without_arithmetic(entry.reason)
    who = person_of(entry.by, catalog.people)
    says = without_arithmetic(entry.reason)
    return f"{who.name} took it back: {says}" if who else says


def _met(facts: ReleaseFacts) -> int:
    """How many requests the new version failed, as the judge counted them; slow ones where those were the cause."""
    slow = facts.seen is not None and facts.seen.metric.split(":")[0] in ("slow", "over")
    return sum(window.new.slow if slow else window.new.errors for window in facts.windows)


def _exposed(facts: ReleaseFacts) -> float | None:
    """When its version first got users; None where it never did, or that is not in what was read."""
    shifts = [
        entry.at for entry in facts.entries if entry.kind == "shifted" and not entry.reason.startswith("0%")
    ]
    served = [window.start for window in facts.windows if window.new.requests]
    return min([*shifts, *served], default=None)


def held_words(holds: Sequence[Hold], weight: int) -> str:
    """Why a release does not go on, and what lets it."""
    people = [hold for hold in holds if hold.is_pause]
    if len(people) == len(holds) and people:
        return f"{'; '.join(hold.reason for hold in people)}; it stays at {weight}% until somebody resumes it"
    why = "; ".join(hold.reason for hold in holds)
    return f"held at {weight}%: {why}; it goes on when that is over"


def _paused(holds: Sequence[Hold]) -> bool:
    return any(hold.is_pause for hold in holds)


def _at(entries: Sequence[ReleaseEntry], kind: str) -> float | None:
    return next((entry.at for entry in entries if entry.kind == kind), None)


def _reason(entries: Sequence[ReleaseEntry], kind: str) -> str:
    return next((entry.reason for entry in entries if entry.kind == kind), "")
