"""What messages say of a release, from its view: text in the order in which it is asked for, and nothing of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from candlefish.messages.model import ChatMessage, Choice, Choices, Moment
from candlefish.messages.record import Member
from candlefish.views.model import EntryView, QuestionView, ReleaseView, SlotView, StepView, Tone, Who

SIGNS = {"done": "✓", "now": "●", "next": "○", "failed": "✗", "skipped": "-"}
TONES: dict[Tone, str] = {"good": "✓", "info": "●", "warning": "!", "bad": "✗", "unknown": "?"}
# What ends when, as it is said before the moment.
ENDS = {
    "step": "this step ends at the latest",
    "judge": "judged until about",
    "bake": "bakes until",
    "approval": "answer by",
    "hold": "held until",
    "freeze": "frozen until",
    "window": "taken back on its own until",
    "sleep": "awake until",
}
BAR = 10
SPARKS = "▁▂▃▄▅▆▇█"
# Pods that are not well, of which a message names so many.
MOST_TROUBLES = 3


def release_message(view: ReleaseView, *, link: str = "", picture: str = "", note: str = "") -> ChatMessage:
    """How a release stands, in the one message that is edited in place. `note` is why it stands in this channel."""
    evidence = view.evidence.odds if view.question is None else view.evidence.says
    asks = f"Asked: {view.question.asks}" if view.question else f"Then: {view.then}" if view.then else ""
    lines = (
        stepped(view),
        *(slot_line(each) for each in view.slots if each.version),
        evidence if not view.ended_at else "",
        asks,
        *(f"Held: {each}" for each in view.holds),
        *(f"Not known: {each}" for each in view.unknown),
        note,
    )
    return ChatMessage(
        says=f"{titled(view)}: {view.says}",
        tone=view.tone,
        lines=tuple(filter(None, lines)),
        moments=tuple(Moment(ENDS[each.what], each.until) for each in view.left if each.what in ENDS),
        as_of=view.now if view.left or not view.ended_at else 0.0,
        facts=(("Asked for by", f"{person(view.requested_by)}: {view.reason}"), ("Release", view.id)),
        command=view.command,
        link=link,
        picture=picture,
        picture_says=picture_words(view) if picture else "",
    )


def train_message(train: str, members: Sequence[Member], view: ReleaseView, *, link: str = "") -> ChatMessage:
    """How a train stands: a line for each release that has begun."""
    over = sum(each.over for each in members)
    bad = next((each for each in members if each.tone == "bad"), None)
    now = bad or next((each for each in reversed(members) if not each.over), members[-1])
    return ChatMessage(
        says=f"Train {train} to {view.environment}: {now.service}: {now.says}",
        tone=tone_of(now.tone),
        lines=(
            *(f"{TONES[tone_of(each.tone)]} {each.service}: {each.says}" for each in members),
            f"{over} of {len(members)} that have begun are over",
        ),
        facts=(("Asked for by", f"{person(view.requested_by)}: {view.reason}"), ("Train", train)),
        command=view.command,
        link=link,
    )


def question_message(
    view: ReleaseView, question: QuestionView, *, link: str = "", note: str = ""
) -> ChatMessage:
    """An open question, with its buttons: verdict, weight reached and next, reason, who asked, until when."""
    given = f"; {people(question.given)} said yes already" if question.given else ""
    needed = f"Two people have to say yes{given}" if question.needed > 1 else ""
    return ChatMessage(
        says=f"{question.service} in {question.environment}: {question.asks}",
        tone="warning",
        lines=tuple(
            filter(
                None,
                (
                    question.evidence,
                    f"Now {question.weight}%, next {question.next_weight}%",
                    f"If yes: {question.if_yes}",
                    f"If no: {question.if_no}",
                    f"If nobody answers: {question.if_nobody}",
                    needed,
                    note,
                ),
            )
        ),
        moments=(Moment(ENDS["approval"], question.expires_at),),
        facts=(
            ("Asked for by", f"{person(question.requested_by)}: {question.reason}"),
            ("Can answer", people(question.may_answer) or "nobody in the catalog but whoever asked"),
        ),
        choices=Choices(
            question.release,
            question.id,
            (Choice("approve", "Approve", question.if_yes), Choice("deny", "Deny", question.if_no)),
        ),
        command=view.command,
        link=link,
    )


def answered_message(view: ReleaseView, answer: EntryView | None) -> ChatMessage:
    """A question that is closed: no buttons, and who said what."""
    if answer is None:
        return ChatMessage(f"{titled(view)}: the question is closed", "info", (view.says,))
    return ChatMessage(
        says=f"{titled(view)}: {answer.word} by {person(answer.by)}",
        tone=answer.tone,
        lines=(answer.says,) if answer.says else (),
    )


def decisions_message(entries: Sequence[EntryView], service: str = "") -> ChatMessage:
    """What was decided, for the thread: a line each, oldest first. `service` names it in the thread of a train."""
    before = f"{service}: " if service else ""
    lines = tuple(
        f"{before}{each.word} by {person(each.by)}" + (f": {each.says}" if each.says else "")
        for each in entries
    )
    return ChatMessage(says=lines[0], tone=entries[-1].tone, lines=lines[1:])


def rollback_message(view: ReleaseView, *, link: str = "", note: str = "") -> ChatMessage:
    """A rollback: cause, evidence, what changed, what to do next."""
    cause = next((each for each in view.timeline if each.kind == "rolling_back"), None)
    troubles = [each for slot in view.slots for each in slot.pods.troubles][:MOST_TROUBLES]
    evidence = view.evidence.says if view.evidence.state != "none" else ""
    why = f"Cause: {cause.says} (by {person(cause.by)})" if cause and cause.says not in view.says else ""
    lines = (
        why,
        evidence if evidence not in view.says + why else "",
        f"Changed: {version_change(view)}, asked for by {person(view.requested_by)}: {view.reason}",
        *(slot_line(each) for each in view.slots if each.version),
        *(f"{each.pod}: {each.says}" for each in troubles),
        *(f"Not known: {each}" for each in view.unknown),
        note,
    )
    return ChatMessage(
        says=f"{titled(view)}: {view.says}",
        tone="bad",
        lines=tuple(filter(None, lines)),
        facts=(("Release", view.id),),
        command=view.command,
        link=link,
    )


def titled(view: ReleaseView) -> str:
    return f"{view.service} {version_change(view)} in {view.environment}"


def version_change(view: ReleaseView) -> str:
    return f"{view.old.label} → {view.new.label}" if view.old else view.new.label


def stepped(view: ReleaseView) -> str:
    """All steps with their signs, and how many of them."""
    count = f"Step {view.step} of {len(view.steps)}: " if view.step else ""
    return count + " ".join(map(step_word, view.steps)) if view.steps else ""


def step_word(step: StepView) -> str:
    return f"{SIGNS[step.state]} {step.title}"


def slot_line(slot: SlotView) -> str:
    """A slot in a line, with its weight as a bar before it."""
    filled = round(shown_weight(slot) / 100 * BAR)
    return "█" * filled + "░" * (BAR - filled) + " " + slot_words(slot)


def shown_weight(slot: SlotView) -> int:
    """The weight that the load balancer has; the one that is wanted, where it was not asked."""
    return slot.wanted if slot.real is None else slot.real


def slot_words(slot: SlotView) -> str:
    """A slot: weight, version, Pods, rate."""
    # A message grows old: what nobody asked of the cluster is left out, not called well.
    pods = "" if slot.pods.unknown else f", {slot.pods.ready}/{slot.pods.desired} ready"
    restarting = f", {slot.pods.restarting} restarting" if pods and slot.pods.restarting else ""
    share = slot.errors.share if slot.errors else None
    rate = f", {share:.{2 if 0 < share < 0.1 else 0}%} failed" if share is not None else ""
    slow = f", p95 {slot.p95 * 1000:.0f} ms" if slot.p95 is not None else ""
    wanted = f" (wanted {slot.wanted}%)" if slot.real is not None and slot.real != slot.wanted else ""
    label = slot.version.label if slot.version else ""
    return f"{shown_weight(slot)}%{wanted} {label} in {slot.slot}{pods}{restarting}{rate}{slow}"


def picture_words(view: ReleaseView) -> str:
    """What the picture of both versions' rates shows, for whoever does not see it."""
    old, new = (
        sparks(p.old.errors / p.old.requests if p.old.requests else None for p in view.points),
        sparks(p.new.errors / p.new.requests if p.new.requests else None for p in view.points),
    )
    before = view.old.label if view.old else "the version before"
    return f"Share of failed requests by window: {view.new.label} {new}, {before} {old}. {view.evidence.says}"


def sparks(shares: Iterable[float | None]) -> str:
    """Shares as a line of blocks; a point where there was nothing."""
    found = list(shares)
    most = max((each for each in found if each is not None), default=0.0) or 1.0
    return "".join(
        "·" if each is None else SPARKS[min(len(SPARKS) - 1, int(each / most * len(SPARKS)))]
        for each in found
    )


def person(who: Who) -> str:
    return who.name


def people(whom: Iterable[Who]) -> str:
    return ", ".join(each.name for each in whom)


def tone_of(word: str) -> Tone:
    for tone in TONES:
        if tone == word:
            return tone
    return "unknown"
