"""The words of every message: what happened, to what, why, who, where to look, what to type next.

A table from kinds of events to words. A kind that is not in it is no news for people. Below it the events of
signals themselves, as the use cases publish them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from candlefish.again import AGAIN
from candlefish.release.news import BACK_COMMAND, NEWS, STATUS_COMMAND, WATCH_COMMAND, ReleaseNews
from candlefish.signals.clues import clue_yaml
from candlefish.signals.endings import STATUS_CHANGE, end_of, ending_of
from candlefish.signals.notification import (
    ConsoleLinks,
    Detail,
    Filled,
    Notification,
    Tone,
    facts_of,
    finite_number,
    mapping,
    sentence,
    utc_clock,
)
from candlefish.signals.own_alarms import ALARM_STATE, own_alarm_of
from candlefish.signals.pieces import TELLING

if TYPE_CHECKING:
    # Who tells people needs none of these.
    from candlefish.release.model import Release
    from candlefish.signals.model import LoggedSignal, Signal
    from candlefish.signals.payloads import SignalResponse


SIGNALS = "candlefish signals -e {environment}"
# What a signal's decision says first, by what is done about it.
DECIDED: dict[str, tuple[str, Tone]] = {
    "rollback": ("{name} on {subject} in {environment}: rolling back", "bad"),
    "hold": ("{name} on {subject} in {environment}: holding the release", "warning"),
    "failover": ("{name} in {environment}: failing over {subject}", "bad"),
    "lift": ("{name} on {subject} in {environment} ended: the hold is lifted", "good"),
}
# Labels that a message names elsewhere, and how much of the others it says, in characters.
SAID = frozenset({"alertname", "severity", "environment"})
MOST_LABELS = 800
RESPONDED: dict[str, tuple[str, Tone]] = {
    "done": ("{action} of {subject} in {environment} has taken effect", "good"),
    "moot": ("{action} of {subject} in {environment} was not needed any more", "info"),
    "failed": ("{action} of {subject} in {environment} FAILED twice: act now", "bad"),
}
# By hand, what the control plane could not or would not do.
BY_HAND = {
    "rollback": BACK_COMMAND,
    "hold": STATUS_COMMAND,
    "failover": "candlefish failover {about} -e {environment} --plan",
}


def notification_of(kind: str, detail: Detail, places: ConsoleLinks) -> Notification | None:
    """The message of an event, or None when it is no news for people."""
    if kind == STATUS_CHANGE:
        return ending_of(detail, places)
    if kind == ALARM_STATE:
        return own_alarm_of(detail, places)
    family, _, rest = kind.partition(".")
    if family == "release":
        words = NEWS.get(rest)
        return _release(words, detail, places) if words else None
    if kind in SIGNAL_KINDS:
        return SIGNAL_KINDS[kind](detail, places)
    # Other capabilities say what they have to say in their events.
    return _said(kind, detail) if detail.get("title") or detail.get("reason") else None


def _release(words: ReleaseNews, detail: Detail, places: ConsoleLinks) -> Notification:
    evidence = mapping(detail.get("evidence"))
    fill = Filled({**detail, **({"question": evidence["question"]} if "question" in evidence else {})})
    about = str(detail.get("release", ""))
    key = end_of(about) if words.ends else f"{detail.get('kind')}/{about}" if words.lasts else ""
    return Notification(
        title=fill(words.title),
        text=sentence(str(detail.get("reason", ""))),
        tone=words.tone,
        facts=facts_of(
            ("By", detail.get("by")),
            ("Asked for by", detail.get("requested_by")),
            ("Release", detail.get("release")),
            *_shown(evidence),
            ("At", utc_clock(detail.get("at"))),
        ),
        link=places.execution(str(detail.get("release", ""))),
        command=fill(words.command),
        question=_question(detail),
        key=key,
        again=AGAIN if words.lasts else 0.0,
    )


def _question(detail: Detail) -> tuple[str, str] | None:
    question = mapping(detail.get("evidence")).get("question")
    if detail.get("kind") != "approval_requested" or question is None:
        return None
    return str(detail.get("release", "")), str(question)


def _decided(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = Filled(detail)
    action, wanted = str(detail.get("action")), str(detail.get("wanted"))
    title, tone = DECIDED.get(action, ("", "warning"))
    if not title:
        # What is no service, database or cache is called by its alert's name as well; once is enough.
        subject, name = str(detail.get("subject", "?")), str(detail.get("name"))
        thing = subject.removeprefix(name).strip() if detail.get("kind") == "other" else subject
        fill = Filled({**detail, "thing": f" on {thing}" if thing else ""})
        title = "{severity} {name}{thing} in {environment}"
        if detail.get("status") != "firing":
            title, tone = (
                title + " {status}",
                "good" if detail.get("status") == "resolved" else "warning",
            )
        elif wanted in BY_HAND:
            title, tone = title + f": no {wanted}", "bad" if detail.get("severity") == "P0" else "warning"
    refused = action == "none" and wanted in BY_HAND and detail.get("status") == "firing"
    last = mapping(detail.get("last_release"))
    count = int(finite_number(detail.get("count")))
    return Notification(
        title=fill(title),
        text=sentence(str(detail.get("reason", ""))),
        tone=tone,
        facts=facts_of(
            (
                "What",
                None if str(detail.get("summary")) in str(detail.get("reason")) else detail.get("summary"),
            ),
            ("Description", detail.get("description")),
            ("Labels", _labels(detail.get("labels"))),
            ("Why no more", detail.get("why") if action == "none" and not detail.get("gate") else None),
            ("Missing clue", detail.get("missing_clue")),
            ("Since", utc_clock(detail.get("started_at"))),
            ("Alerts", count if count > 1 else None),
            ("Owner", detail.get("owner")),
            ("Runbook", detail.get("runbook")),
            (
                "Changed last",
                f"{last.get('version')} by {last.get('requested_by')} at {utc_clock(last.get('started_at'))}, "
                f"{last.get('status')} (release {last.get('id')})"
                if last
                else None,
            ),
        ),
        link=str(detail.get("link") or "") or places.execution(str(last.get("id") or "")),
        command=fill(BY_HAND[wanted] if refused else SIGNALS),
    )


def _labels(labels: Any) -> str:
    """The labels of an alert in one line, those that say what it is about first, but those that the message says anyway."""
    found = sorted(mapping(labels).items(), key=lambda each: (each[0] not in TELLING, each[0]))
    return ", ".join(f"{name}={value}" for name, value in found if name not in SAID)[:MOST_LABELS]


def _responded(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = Filled({**detail, "action": str(detail.get("action", "")).capitalize()})
    title, tone = RESPONDED.get(str(detail.get("outcome")), RESPONDED["failed"])
    failed = detail.get("outcome") == "failed"
    began, received, decided, at = (
        finite_number(detail.get(k)) for k in ("started_at", "received_at", "decided_at", "at")
    )
    steps = [
        f"{label} {later - earlier:.1f} s"
        for label, earlier, later in (
            ("delivered after", began, received),
            ("decided after another", received, decided),
            ("in effect after another", decided, at),
        )
        if earlier and later
    ]
    return Notification(
        title=fill(title),
        text=sentence(str(detail.get("reason", ""))),
        tone=tone,
        facts=facts_of(
            ("Because of", f"{detail.get('severity')} {detail.get('name')}"),
            ("Release", detail.get("release")),
            ("Took", ", ".join(steps)),
            ("Owner", detail.get("owner")),
            ("Runbook", detail.get("runbook")),
        ),
        link=places.execution(str(detail.get("release", ""))) or str(detail.get("link") or ""),
        command=fill(BY_HAND.get(str(detail.get("action")), SIGNALS) if failed else SIGNALS),
    )


def _lifted(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = Filled(detail)
    held = int(finite_number(detail.get("still_held")))
    return Notification(
        title=fill("{subject} in {environment}: hold lifted"),
        text=sentence(str(detail.get("reason", ""))) + (f" {held} other holds remain." if held else ""),
        tone="warning" if held else "good",
        link=places.execution(str(detail.get("release", ""))),
        command=fill(WATCH_COMMAND),
    )


def _flood(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = Filled(detail)
    return Notification(
        title=fill("More signals in {environment} than messages can tell"),
        text="Further ones are written to the log of signals only, until it gets quieter.",
        tone="bad",
        command=fill(SIGNALS),
    )


def _switched(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = Filled(detail)
    return Notification(
        title=fill("Automation in {environment} was switched {state}"),
        text=sentence(str(detail.get("reason", ""))),
        tone="warning" if detail.get("state") == "off" else "info",
        facts=facts_of(("By", detail.get("by"))),
        command=fill("candlefish automation -e {environment} on") if detail.get("state") == "off" else "",
    )


SIGNAL_KINDS: dict[str, Callable[[Detail, ConsoleLinks], Notification]] = {
    "signal.decided": _decided,
    "signal.responded": _responded,
    "signal.lifted": _lifted,
    "signal.flood": _flood,
    "signal.switched": _switched,
}


def _said(kind: str, detail: Detail) -> Notification:
    tone = detail.get("tone")
    return Notification(
        title=str(
            detail.get("title")
            or f"{kind.replace('.', ': ').replace('_', ' ')} in {detail.get('environment')}"
        ),
        text=sentence(str(detail.get("reason", ""))),
        tone=tone if tone in ("good", "info", "warning", "bad") else "info",
        facts=facts_of(("By", detail.get("by")), ("At", utc_clock(detail.get("at")))),
        link=str(detail.get("link") or ""),
        command=str(detail.get("command") or ""),
    )


def _shown(evidence: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What of an entry's evidence its message says; the rest is for whoever opens the entry."""
    known = [(label, evidence.get(key), say) for key, (label, say) in SHOWN.items()]
    return [(label, say(value)) for label, value, say in known if value not in (None, "", [], {}, ())]


def _shares(weights: Any) -> str:
    """Weights of slots, those with traffic first."""
    found = sorted(mapping(weights).items(), key=lambda each: -finite_number(each[1]))
    return ", ".join(f"{slot} {finite_number(weight):g}%" for slot, weight in found)


def _several(things: Any) -> str:
    return (
        "; ".join(map(str, things))[:MOST_LABELS] if isinstance(things, list) else str(things)[:MOST_LABELS]
    )


def _who_answers(needed: Any) -> str:
    return "two people have to say yes" if finite_number(needed) > 1 else ""


# Of an entry's evidence, what its message says: label, and how.
SHOWN: dict[str, tuple[str, Callable[[Any], str]]] = {
    "weights": ("Traffic", _shares),
    "expires_at": ("Answer by", utc_clock),
    "needed": ("Who", _who_answers),
    "holds": ("Held by", _several),
    "configuration_changes": ("Configuration", _several),
    "break_glass": ("Break glass", str),
    "differed": ("Differed", _several),
    "job": ("Job", str),
}


# --- the events of signals ----------------------------------------------------------------

Event = tuple[str, dict[str, Any]]


def decided_event(line: LoggedSignal, *, environment: str, count: int, release: Release | None) -> Event:
    """What was decided about a signal. `count` is how many alerts it stands for; `release` is what changed last."""
    signal, decision = line.signal, line.decision
    return "signal.decided", {
        "environment": environment,
        "about": signal.about,
        "kind": signal.kind,
        "subject": signal.subject,
        "severity": signal.severity,
        "status": signal.alert.status,
        "name": signal.name,
        "summary": signal.alert.summary,
        "description": signal.alert.description,
        "labels": signal.alert.labels,
        "why": signal.why,
        "missing_clue": _missing_clue(signal),
        "action": decision.action,
        "wanted": signal.do,
        "gate": decision.gate,
        "reason": decision.reason,
        "owner": signal.owner,
        "runbook": signal.runbook,
        "link": signal.alert.link,
        "count": count,
        "response": line.response,
        "at": line.at,
        "started_at": signal.alert.started_at,
        "last_release": _last_release(release) if release else None,
    }


def _missing_clue(signal: Signal) -> str:
    """What to write so that such an alert is known to be about a service; empty where nothing is missing."""
    if signal.clue is None:
        return ""
    label, pattern = signal.clue
    return (
        f"this leads to nothing: add a clue for label {label}. In catalog/responses.yaml, under clues, service: "
        f"- {clue_yaml(label, pattern)} (candlefish respond FILE --add-clue writes it)"
    )


def _last_release(release: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "version": release.version.short,
        "requested_by": release.requested_by,
        "started_at": release.started_at,
        "status": release.status,
    }


def flood_event(environment: str, *, count: int, at: float) -> Event:
    """There are more different messages than anybody reads."""
    return "signal.flood", {"environment": environment, "at": at, "count": count}


def responded_event(response: SignalResponse, outcome: str, reason: str, at: float) -> Event:
    """How a response ended."""
    signal = response.signal
    return "signal.responded", {
        "environment": response.environment,
        "about": signal.about,
        "subject": response.subject,
        "action": response.action,
        "outcome": outcome,
        "reason": reason,
        "release": response.release,
        "response": response.id,
        "attempts": response.attempt,
        "severity": signal.severity,
        "name": signal.name,
        "owner": signal.owner,
        "runbook": signal.runbook,
        "link": signal.alert.link,
        "started_at": signal.alert.started_at,
        "received_at": signal.received_at,
        "decided_at": response.decided_at,
        "at": at,
    }


def lifted_event(response: SignalResponse, *, still_held: int, at: float) -> Event:
    """A hold was lifted after its alert had stayed quiet."""
    return "signal.lifted", {
        "environment": response.environment,
        "subject": response.subject,
        "about": response.signal.about,
        "release": response.release,
        "owner": response.signal.owner,
        "reason": f"{response.signal.name} ended and stayed quiet",
        "still_held": still_held,
        "at": at,
    }


def switched_event(environment: str, *, state: str, by: str, reason: str, at: float) -> Event:
    """Somebody switched automation on or off."""
    return "signal.switched", {
        "environment": environment,
        "state": state,
        "by": by,
        "reason": reason,
        "at": at,
    }
