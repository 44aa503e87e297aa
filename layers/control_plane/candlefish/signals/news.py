"""The words of every message: what happened, to what, why, who, where to look, what to type next.

A table from kinds of events to words. A kind that is not in it is no news for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Tone = Literal["good", "info", "warning", "bad"]
Detail = Mapping[str, Any]


class Notification(msgspec.Struct, frozen=True):
    """A message, independent of the channel. `facts` are (label, text) pairs in order."""

    title: str
    text: str
    tone: Tone = "info"
    facts: tuple[tuple[str, str], ...] = ()
    link: str = ""
    command: str = ""
    # The open question's release and when it expires, for channels that can carry an answer.
    question: tuple[str, float] | None = None

    def plain(self) -> str:
        """As text, for mail and terminals."""
        lines = [self.title, "", self.text, ""] if self.text else [self.title, ""]
        lines += [f"{label}: {value}" for label, value in self.facts]
        lines += [f"Look: {self.link}"] if self.link else []
        lines += [f"Next: {self.command}"] if self.command else []
        return "\n".join(lines).rstrip() + "\n"


class ConsoleLinks(msgspec.Struct, frozen=True):
    """Where things are looked at. `machine` is the release machine's ARN, empty when unknown."""

    environment: str
    machine: str = ""

    def execution(self, release: str) -> str:
        """The console's page of a release's execution."""
        if not self.machine or not release:
            return ""
        region = self.machine.split(":")[3]
        arn = f"{self.machine.replace(':stateMachine:', ':execution:')}:{release}"
        return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"


class _Words(msgspec.Struct, frozen=True):
    """How one kind of release event reads. Templates take the event's detail."""

    title: str
    tone: Tone
    command: str = ""


STATUS = "candlefish status {service} -e {environment}"
BACK = 'candlefish rollback {service} -e {environment} --reason "..."'
WATCH = "candlefish watch {release} -e {environment}"
RELEASES: dict[str, _Words] = {
    "started": _Words("Release of {service} {version} to {environment} started", "info", WATCH),
    "held": _Words("Release of {service} {version} to {environment} is held", "warning", STATUS),
    "resumed": _Words("Release of {service} {version} to {environment} goes on", "info", WATCH),
    "approval_requested": _Words(
        "Release of {service} {version} to {environment} waits for approval",
        "warning",
        "candlefish approve {release} -e {environment}",
    ),
    "approved": _Words("Release of {service} {version} to {environment} was approved", "info"),
    "denied": _Words("Release of {service} {version} to {environment} was denied", "warning"),
    "expired": _Words("Nobody answered for release of {service} {version} to {environment}", "warning"),
    "promoted": _Words("{service} {version} is live in {environment}", "good", BACK),
    "rolling_back": _Words("{service} {version} in {environment} is being rolled back", "bad", STATUS),
    "rolled_back": _Words("{service} {version} in {environment} was rolled back", "bad", STATUS),
    "rollback_refused": _Words("{service} in {environment} could not be rolled back", "bad", STATUS),
    "refused": _Words("Release of {service} {version} to {environment} was refused", "warning"),
    "superseded": _Words("Release of {service} {version} to {environment} was superseded", "info", STATUS),
    "drift_repaired": _Words(
        "Somebody changed the traffic of {service} in {environment}; it was put back", "warning"
    ),
}
SIGNALS = "candlefish signals -e {environment}"
# What a signal's decision says first, by what is done about it.
DECIDED: dict[str, tuple[str, Tone]] = {
    "rollback": ("{name} on {subject} in {environment}: rolling back", "bad"),
    "hold": ("{name} on {subject} in {environment}: holding the release", "warning"),
    "failover": ("{name} in {environment}: failing over {subject}", "bad"),
    "lift": ("{name} on {subject} in {environment} ended: the hold is lifted", "good"),
}
RESPONDED: dict[str, tuple[str, Tone]] = {
    "done": ("{action} of {subject} in {environment} has taken effect", "good"),
    "moot": ("{action} of {subject} in {environment} was not needed any more", "info"),
    "failed": ("{action} of {subject} in {environment} FAILED twice: act now", "bad"),
}
# By hand, what the control plane could not or would not do.
BY_HAND = {
    "rollback": BACK,
    "hold": STATUS,
    "failover": "candlefish failover {about} -e {environment} --plan",
}


def notification_of(kind: str, detail: Detail, places: ConsoleLinks) -> Notification | None:
    """The message of an event, or None when it is no news for people."""
    family, _, rest = kind.partition(".")
    if family == "release":
        words = RELEASES.get(rest)
        return _release(words, detail, places) if words else None
    if kind in SIGNAL_KINDS:
        return SIGNAL_KINDS[kind](detail, places)
    # Other capabilities say what they have to say in their events.
    return _said(kind, detail) if detail.get("title") or detail.get("reason") else None


def _release(words: _Words, detail: Detail, places: ConsoleLinks) -> Notification:
    fill = _Filled(detail)
    evidence = detail.get("evidence") or {}
    return Notification(
        title=fill(words.title),
        text=_sentence(str(detail.get("reason", ""))),
        tone=words.tone,
        facts=_facts(
            ("By", detail.get("by")),
            ("Asked for by", detail.get("requested_by")),
            ("Release", detail.get("release")),
            ("Evidence", _evidence(evidence)),
            ("At", _clock(detail.get("at"))),
        ),
        link=places.execution(str(detail.get("release", ""))),
        command=fill(words.command),
        question=_question(detail),
    )


def _question(detail: Detail) -> tuple[str, float] | None:
    expires = (detail.get("evidence") or {}).get("expires_at")
    if detail.get("kind") != "approval_requested" or expires is None:
        return None
    return str(detail.get("release", "")), float(expires)


def _decided(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = _Filled(detail)
    action, wanted = str(detail.get("action")), str(detail.get("wanted"))
    title, tone = DECIDED.get(action, ("", "warning"))
    if not title:
        title = "{severity} {name} on {subject} in {environment}"
        if detail.get("status") != "firing":
            title, tone = (
                title + f" {detail.get('status')}",
                "good" if detail.get("status") == "resolved" else "warning",
            )
        elif wanted in BY_HAND:
            title, tone = title + f": no {wanted}", "bad" if detail.get("severity") == "P0" else "warning"
    refused = action == "none" and wanted in BY_HAND and detail.get("status") == "firing"
    last = detail.get("last_release") or {}
    count = int(detail.get("count") or 1)
    return Notification(
        title=fill(title),
        text=_sentence(str(detail.get("reason", ""))),
        tone=tone,
        facts=_facts(
            (
                "What",
                None if str(detail.get("summary")) in str(detail.get("reason")) else detail.get("summary"),
            ),
            ("Since", _clock(detail.get("started_at"))),
            ("Alerts", count if count > 1 else None),
            ("Owner", detail.get("owner")),
            ("Runbook", detail.get("runbook")),
            (
                "Changed last",
                f"{last.get('version')} by {last.get('requested_by')} at {_clock(last.get('started_at'))}, "
                f"{last.get('status')} (release {last.get('id')})"
                if last
                else None,
            ),
        ),
        link=str(detail.get("link") or "") or places.execution(str(last.get("id") or "")),
        command=fill(BY_HAND[wanted] if refused else SIGNALS),
    )


def _responded(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = _Filled({**detail, "action": str(detail.get("action", "")).capitalize()})
    title, tone = RESPONDED.get(str(detail.get("outcome")), RESPONDED["failed"])
    failed = detail.get("outcome") == "failed"
    began, received, decided, at = (detail.get(k) for k in ("started_at", "received_at", "decided_at", "at"))
    steps = [
        f"{label} {float(later) - float(earlier):.1f} s"
        for label, earlier, later in (
            ("delivered after", began, received),
            ("decided after another", received, decided),
            ("in effect after another", decided, at),
        )
        if earlier and later
    ]
    return Notification(
        title=fill(title),
        text=_sentence(str(detail.get("reason", ""))),
        tone=tone,
        facts=_facts(
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
    fill = _Filled(detail)
    held = int(detail.get("still_held") or 0)
    return Notification(
        title=fill("{subject} in {environment}: hold lifted"),
        text=_sentence(str(detail.get("reason", ""))) + (f" {held} other holds remain." if held else ""),
        tone="warning" if held else "good",
        link=places.execution(str(detail.get("release", ""))),
        command=fill(WATCH),
    )


def _flood(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = _Filled(detail)
    return Notification(
        title=fill("More signals in {environment} than messages can tell"),
        text="Further ones are written to the log of signals only, until it gets quieter.",
        tone="bad",
        command=fill(SIGNALS),
    )


def _switched(detail: Detail, places: ConsoleLinks) -> Notification:
    fill = _Filled(detail)
    return Notification(
        title=fill("Automation in {environment} was switched {state}"),
        text=_sentence(str(detail.get("reason", ""))),
        tone="warning" if detail.get("state") == "off" else "info",
        facts=_facts(("By", detail.get("by"))),
        command=fill("candlefish signals -e {environment} switch on") if detail.get("state") == "off" else "",
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
        text=_sentence(str(detail.get("reason", ""))),
        tone=tone if tone in ("good", "info", "warning", "bad") else "info",
        facts=_facts(("By", detail.get("by")), ("At", _clock(detail.get("at")))),
        link=str(detail.get("link") or ""),
        command=str(detail.get("command") or ""),
    )


class _Filled:
    """Fills templates from an event; what the event does not say is a question mark, never an error."""

    def __init__(self, detail: Detail) -> None:
        self._values = {"service": str(detail.get("subject", "?"))}
        self._values |= {key: str(value) for key, value in detail.items()}

    def __call__(self, template: str) -> str:
        return template.format_map(_Missing(self._values))


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _facts(*pairs: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((label, str(value)) for label, value in pairs if value not in (None, ""))


def _sentence(text: str) -> str:
    text = text.strip()
    stop = "" if not text or text.endswith((".", "!", "?")) else "."
    return text[:1].upper() + text[1:] + stop


def _evidence(evidence: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in evidence.items())[:600]


def _clock(at: Any) -> str:
    if not isinstance(at, (int, float)) or at <= 0:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
