"""A release on one screen: `(view, width, height, now, zone) -> lines`. Pure.

From above: what holds, what a person is asked, where the traffic is, whether it is harmed, how far along it is; below,
what happened, newest first. Where a screen is small the least important parts go; the newest entry and an open question
never do.
"""

from __future__ import annotations

from datetime import tzinfo

from msgspec.structs import replace

from candlefish.views.model import (
    EntryView,
    EvidenceView,
    QuestionView,
    ReleaseView,
    ServiceView,
    SlotView,
    StepView,
    Who,
)
from candlefish.views.words import percentage
from cli.screen.cells import Line, Span, Style, clean, cut, fitted, line, padded, paragraph, plain, width_of
from cli.screen.clock import clock, day_and_clock, lasting, left

# Below this many cells: shorter words, and times without seconds.
NARROW = 70
SIGNS: dict[str, tuple[str, Style]] = {
    "good": ("✓", "good"),
    "info": ("●", "info"),
    "warning": ("!", "warning"),
    "bad": ("✗", "bad"),
    "unknown": ("?", "unknown"),
}
_STEPS: dict[str, tuple[str, Style]] = {
    "done": ("✓", "good"),
    "now": ("●", "accent"),
    "next": ("○", "dim"),
    "failed": ("✗", "bad"),
    "skipped": ("-", "dim"),
}
_EVIDENCE: dict[str, Style] = {"none": "dim", "no_harm": "good", "harmed": "bad", "cannot_tell": "unknown"}
_LEFT = {
    "step": "this step",
    "judge": "judge",
    "bake": "bake",
    "approval": "answer",
    "hold": "hold",
    "freeze": "freeze",
    "window": "rollback window",
    "sleep": "sleep",
    "lease": "lease",
}
# Whose doing an entry is not worth saying.
_OURS = frozenset({"control-plane", "judge", ""})
BAR, LEAST_BAR = 32, 5
# Cells of a rule in what is printed, and lines of an entry that is printed with all its words.
RULE, WHOLE = 100, 60
# Cells of the gauge at most, and what stands at its ends.
GAUGE, ENDS = 31, "roll back ├┤ promote"


def release_lines(view: ReleaseView, width: int, height: int, now: float, zone: tzinfo | None) -> list[Line]:
    """At most `height` lines of at most `width` cells."""
    beside = _beside(view, width, now, zone)
    parts = [
        # How much each is worth, and its lines; the least go first where there is no room.
        (1, [head(view, width, now)]),
        (2, sentence(view, width)),
        *question_parts(view.question, width, now, zone),
        (5, strip(view.steps, width)),
        (4, slots(view, width)),
        (6, evidence(view.evidence, width, (view.says, view.question.evidence if view.question else ""))),
        (7, gauge(view.evidence, width, beside)),
        (9, lefts(view, width, now, zone, beside)),
        (10, paragraph(f"then: {view.then}", width, 2, "dim") if view.then else []),
        (3, [each for hold in view.holds for each in paragraph(hold, width, 2, "warning", first="‖ ", then="  ")]),
        (8, [each for text in view.unknown for each in paragraph(text, width, 2, "unknown", first="? ", then="  ")]),
    ]  # fmt: skip
    entries = timeline(view.timeline, width, now, zone)
    return composed(parts, entries, width, height)


def release_in_full(view: ReleaseView, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """The same without an end to the screen: every entry with all its words, and the id."""
    above = release_lines(replace(view, timeline=()), width, 1000, now, zone)[:-2]
    return [
        line(Span(clean(view.id), "dim")),
        *above,
        *entries_in_full(view.timeline, view.older, width, now, zone),
        *([line("next: ", clean(view.command))] if view.command else []),
    ]


def entries_in_full(
    entries: tuple[EntryView, ...], before: str, width: int, now: float, zone: tzinfo | None
) -> list[Line]:
    """Entries with all their words, and how to get those before them."""
    rule = line(Span("─" * min(width, RULE), "dim"))
    told = [each for entry in timeline(entries, width, now, zone, most=WHOLE) for each in entry]
    return [rule, *told, *older(before)]


def older(cursor: str) -> list[Line]:
    """How to get what was before; nothing at the end."""
    return [line(Span(f"older ones: --before {clean(cursor)}", "dim"))] if cursor else []


def composed(
    parts: list[tuple[int, list[Line]]], entries: list[list[Line]], width: int, height: int
) -> list[Line]:
    """Parts above, a rule, and entries below; a quarter of the screen is the entries', where they need it."""
    kept = [(worth, lines) for worth, lines in parts if lines]
    newest = entries[:1]
    below = max(1, min(sum(len(each) for each in entries), height // 4)) if newest else 0
    ruled = height >= 8
    room = height - below - ruled
    while len(kept) > 1 and sum(len(lines) for _, lines in kept) > room:
        least = max(range(len(kept)), key=lambda at: (kept[at][0], at))
        worth, lines = kept[least]
        kept[least] = (worth, _shortened(lines, width))
        kept = [each for each in kept if each[1]]
    above = [each for _, lines in kept for each in lines][: max(room, 0)]
    rest = height - len(above) - ruled
    shown = [each for entry in entries for each in entry][: max(rest, 0)]
    if entries and 0 < len(shown) < len(entries[0]):
        shown = _shortened(entries[0][: len(shown) + 1], width)
    rule = [line(Span("─" * width, "dim"))] if ruled and shown else []
    return [*above, *rule, *shown][:height]


def _shortened(lines: list[Line], width: int) -> list[Line]:
    """Lines without the last one; that there is more is said."""
    if len(lines) < 2:
        return []
    last = fitted(lines[-2], width - 2)
    return [*lines[:-2], line(*last, Span(" …", "dim")) if not plain(last).endswith("…") else last]


def head(view: ReleaseView, width: int, now: float) -> Line:
    """Service, versions, environment; then how far along it is, as far as there is room."""
    old = clean(view.old.label) if view.old else ""
    versions = f"{old} -> {clean(view.new.label)}" if old else clean(view.new.label)
    ran = (view.ended_at or now) - view.started_at
    steps = f"step {view.step} of {len(view.steps)}" if view.steps and view.step and not view.ended_at else ""
    # Dropped from the last of this list on: (worth, text, style), in the order in which they stand.
    words: list[tuple[int, str, Style]] = [
        (0, clean(view.service), "bold"),
        (1, versions, "bold"),
        (2, view.status.replace("_", " "), _status_style(view)),
        (4, clean(view.environment), ""),
        (6, clean(view.strategy), "dim"),
        (3, steps, ""),
        (5, lasting(ran) if view.started_at else "", "dim"),
    ]
    words = [each for each in words if each[1]]
    while len(words) > 2 and width_of(_joined(words)) > width:
        words.remove(max(words))
    return fitted(_joined(words), width)


def _joined(words: list[tuple[int, str, Style]]) -> Line:
    spans: list[Span] = []
    for number, (_, text, style) in enumerate(words):
        spans += [Span("  " if number else ""), Span(text, style)]
    return tuple(spans)


def _status_style(view: ReleaseView) -> Style:
    return SIGNS[view.tone][1]


def sentence(view: ReleaseView, width: int) -> list[Line]:
    """What holds now, with the sign of its tone."""
    sign, style = SIGNS[view.tone]
    return paragraph(view.says, width, 3 if width < NARROW else 2, style, first=f"{sign} ", then="  ")


def people(names: tuple[Who, ...]) -> str:
    """Names with roles, some of them."""
    shown = [clean(f"{who.name} ({who.role})" if who.role else who.name) for who in names[:4]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def question_parts(
    question: QuestionView | None, width: int, now: float, zone: tzinfo | None
) -> list[tuple[int, list[Line]]]:
    """What a person is asked; that it is asked, and until when, is worth as much as anything."""
    if question is None:
        return []
    until = left(question.expires_at, now, zone)
    asks = paragraph(f"{until}: {question.asks}", width, 2, "ask", first="? ", then="  ")
    facts = [
        ("on what", question.evidence),
        ("yes", question.if_yes),
        ("no", question.if_no),
        ("nobody", question.if_nobody),
    ]
    more = [
        each
        for name, text in facts
        if text
        for each in paragraph(text, width, 2, first=f"    {name}: ", then="      ")
    ]
    given = f"{len(question.given)} of {question.needed} said yes; " if question.needed > 1 else ""
    who = people(question.may_answer) or "nobody that the catalog knows"
    by = f"{given}asked by {question.requested_by.name}; may answer: {who}"
    return [(0, asks), (3, more), (7, paragraph(by, width, 2, "dim", first="    ", then="      "))]  # fmt: skip


def strip(steps: tuple[StepView, ...], width: int) -> list[Line]:
    """The steps, each with its sign; where they do not fit in two lines, those around the one that runs."""
    if not steps:
        return []
    words = [(f"{_STEPS[each.state][0]} {clean(each.title)}", _STEPS[each.state][1]) for each in steps]
    at = next((n for n, each in enumerate(steps) if each.state in ("now", "failed")), 0)
    lines = _flow(words, width)
    if len(lines) <= 2:
        return lines
    first = max(at - 1, 0)
    before = [(f"✓ {first} before", "good")] if first else []
    tail: list[tuple[str, Style]] = []
    shown = words[first:]
    while len(lines) > 2 and len(shown) > 1:
        shown = shown[:-1]
        tail = [(f"○ {len(words) - first - len(shown)} more", "dim")]
        lines = _flow([*before, *shown, *tail], width)  # type: ignore[list-item]
    return lines[:2]


def _flow(words: list[tuple[str, Style]], width: int) -> list[Line]:
    lines: list[list[Span]] = [[]]
    for text, style in words:
        span = Span(cut(text, width), style)
        if lines[-1] and width_of(lines[-1]) + 1 + width_of([span]) > width:
            lines.append([])
        lines[-1] += [Span(" "), span] if lines[-1] else [span]
    return [tuple(each) for each in lines]


def slots(view: ReleaseView | ServiceView, width: int) -> list[Line]:
    """Where the traffic is, slot by slot, and how its Pods and requests are; the columns that there is room for."""
    shown = [each for each in view.slots if each.version or each.wanted]
    if not shown:
        return []
    rows = [_facts(each) for each in shown]
    names = [f"  {each.slot} " for each in shown]
    labels = [clean(each.version.label) if each.version else "-" for each in shown]
    wide = min(max(width_of([Span(each)]) for each in labels), max(width // 5, 8))
    # Which columns there are: weight always, then Pods, share, latency as there is room beside a bar.
    columns = list(range(len(rows[0])))
    sizes = [max(width_of([row[at]]) for row in rows) for at in columns]
    before = max(width_of([Span(each)]) for each in names) + wide + 1
    while len(columns) > 1 and before + LEAST_BAR + sum(sizes[at] + 2 for at in columns if sizes[at]) > width:
        columns.pop()
    bar = min(BAR, width - before - sum(sizes[at] + 2 for at in columns if sizes[at]))
    lines: list[Line] = []
    for each, row, name, label in zip(shown, rows, names, labels, strict=True):
        style: Style = "accent" if each.role == "candidate" else "bad" if each.role == "bad" else ""
        spans = [Span(padded(name, before - wide - 1)), Span(padded(label, wide) + " ", style)]
        if bar >= LEAST_BAR:
            filled = round(bar * min(max(_weight(each), 0), 100) / 100)
            spans += [Span("█" * filled, style), Span("·" * (bar - filled), "dim")]
        for at in columns:
            if sizes[at]:
                spans.append(Span("  " + padded(row[at].text, sizes[at], right=at == 0), row[at].style))
        lines.append(fitted(spans, width))
        lines += [
            each_line
            for trouble in each.pods.troubles[:2]
            for each_line in paragraph(
                f"{trouble.pod}: {trouble.says}", width, 1, "warning", first="    ! ", then="      "
            )
        ]
    return lines


def _weight(slot: SlotView) -> int:
    return slot.wanted if slot.real is None else slot.real


def _facts(slot: SlotView) -> list[Span]:
    """Weight, Pods, share of bad requests, latency; each says when it is not known."""
    if slot.real is None:
        weight = Span(f"{slot.wanted}% wanted", "unknown")
    elif slot.real == slot.wanted:
        weight = Span(f"{slot.wanted}%")
    else:
        weight = Span(f"{slot.real}%, wanted {slot.wanted}%", "warning")
    pods = slot.pods
    if pods.unknown:
        ready = Span("Pods ?", "unknown")
    else:
        well: Style = "" if pods.ready >= pods.desired and not pods.restarting else "warning"
        restarting = f", {pods.restarting} restarting" if pods.restarting else ""
        ready = Span(f"{pods.ready}/{pods.desired} ready{restarting}", well)
    share = slot.errors.share if slot.errors else None
    errors = Span(f"{percentage(share)} bad" if share is not None else "")
    latency = Span(f"p95 {_short(slot.p95)}" if slot.p95 is not None else "")
    return [weight, ready, errors, latency]


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def evidence(known: EvidenceView, width: int, said: tuple[str, ...]) -> list[Line]:
    """Whether the new version harms, where nothing above says it already."""
    if known.state == "none" or not known.says or any(clean(known.says) in clean(each) for each in said):
        return []
    return paragraph(known.says, width, 2, _EVIDENCE[known.state])


def gauge(known: EvidenceView, width: int, beside: str) -> list[Line]:
    """Where the evidence stands between both ends, and the odds."""
    if known.position is None:
        return []
    size = max(min(GAUGE, width - len(ENDS)), 3)
    at = round((min(max(known.position, -1.0), 1.0) + 1) / 2 * (size - 1))
    drawn = line(
        "roll back ",
        Span("├" + "─" * at, "dim"),
        Span("●", _EVIDENCE[known.state]),
        Span("─" * (size - 1 - at) + "┤", "dim"),
        " promote",
    )
    lines = [fitted(line(*drawn, "    ", beside) if beside else drawn, width)]
    if known.odds:
        lines += paragraph(known.odds, width, 1, "dim", first=" " * min(10, width // 4))
    return lines


def _beside(view: ReleaseView, width: int, now: float, zone: tzinfo | None) -> str:
    """What stands beside the gauge, where it has room: how long it is until the next thing that is known."""
    if view.question or not view.left or view.evidence.position is None:
        return ""
    said = left(view.left[0].until, now, zone)
    return said if len(ENDS) + GAUGE + 4 + width_of([Span(said)]) <= width else ""


def lefts(view: ReleaseView, width: int, now: float, zone: tzinfo | None, beside: str) -> list[Line]:
    """Time that runs, a line each; how long the first lasts may stand `beside` the gauge already."""
    lines: list[Line] = []
    for number, each in enumerate(view.left):
        # A question says its own.
        if each.what == "approval" and view.question is not None:
            continue
        until = "" if beside and not number else left(each.until, now, zone)
        text = ": ".join(part for part in (_LEFT[each.what], until, each.says) if part)
        lines += paragraph(text, width, 1, "dim")
    return lines


def timeline(
    entries: tuple[EntryView, ...], width: int, now: float, zone: tzinfo | None, most: int = 1
) -> list[list[Line]]:
    """What happened, newest first, an entry in at most so many lines; the newest in three at least."""
    if not entries:
        return [[line(Span(cut("nothing has happened yet", width), "dim"))]]
    words = min(max(width_of([Span(clean(each.word))]) for each in entries), max(width // 4, 6))
    return [
        _entry(each, width, words, zone, now, most=most if number else max(most, 3))
        for number, each in enumerate(entries)
    ]


def _entry(
    entry: EntryView, width: int, words: int, zone: tzinfo | None, now: float, *, most: int
) -> list[Line]:
    at = clock(entry.at, zone, seconds=width >= NARROW)
    word = padded(clean(entry.word), words)
    by = "" if entry.by.name in _OURS else f" ({entry.by.name})"
    indent = width_of([Span(at)]) + 2 + words + 2
    if indent > width // 2:
        return paragraph(
            f"{at} {clean(entry.word)} {entry.says}{by}", width, most, SIGNS[entry.tone][1], then="  "
        )
    told = paragraph(f"{entry.says}{by}", width - indent, most) or [()]
    first = line(Span(at, "dim"), "  ", Span(word, SIGNS[entry.tone][1]), "  ", *told[0])
    return [fitted(first, width), *(fitted(line(" " * indent, *each), width) for each in told[1:])]


def entry_text(entry: EntryView, zone: tzinfo | None) -> str:
    """An entry as one line of a log."""
    by = "" if entry.by.name in _OURS else f" ({clean(entry.by.name)})"
    return f"{clock(entry.at, zone, seconds=True)}  {clean(entry.word)}: {clean(entry.says)}{by}"


def summary_text(view: ReleaseView, now: float, zone: tzinfo | None) -> list[str]:
    """How a release stands, as the last lines of a log."""
    sign, _ = SIGNS[view.tone]
    old = f"{clean(view.old.label)} -> " if view.old else ""
    lines = [
        f"{view.id}  {clean(view.service)} {old}{clean(view.new.label)} in {clean(view.environment)}: "
        f"{view.status.replace('_', ' ')}",
        f"{sign} {clean(view.says)}",
    ]
    if view.question:
        asked = view.question
        lines.append(f"? {clean(asked.asks)} ({left(asked.expires_at, now, zone)}; question {asked.id})")
        if asked.may_answer:
            lines.append(f"  may answer: {people(asked.may_answer)}")
    lines += [f"‖ {clean(each)}" for each in view.holds]
    lines += [f"? {clean(each)}" for each in view.unknown]
    if view.ended_at:
        lines.append(
            f"  took {lasting(view.ended_at - view.started_at)}, ended {day_and_clock(view.ended_at, zone, now)}"
        )
    if view.command:
        lines.append(f"next: {clean(view.command)}")
    return lines
