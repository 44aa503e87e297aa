"""A message to people, whatever says it and wherever it is read; and what words are filled in with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from candlefish.bounds import LAST_MOMENT, fit_line

Tone = Literal["good", "info", "warning", "bad"]
Detail = Mapping[str, Any]
# Of a message as text, in characters.
LONGEST_LINE = 4000


class Notification(msgspec.Struct, frozen=True):
    """A message, independent of the channel. `facts` are (label, text) pairs in order."""

    title: str
    text: str
    tone: Tone = "info"
    facts: tuple[tuple[str, str], ...] = ()
    link: str = ""
    command: str = ""
    # The open question's release and its id, for channels that can carry an answer.
    question: tuple[str, str] | None = None
    # What it is about, where several events may say the same: told once, and again after `again` seconds while they
    # go on saying it (0: never again). Empty: each event is told.
    key: str = ""
    again: float = 0.0
    # Channels that have it already, from whoever noticed.
    told_by: tuple[str, ...] = ()

    def plain(self) -> str:
        """As text, for mail and terminals. What is filled in stays on its line: none can pretend to be another."""
        lines = [self.title, "", self.text, ""] if self.text else [self.title, ""]
        lines += [f"{label}: {value}" for label, value in self.facts]
        lines += [f"Look: {self.link}"] if self.link else []
        lines += [f"Next: {self.command}"] if self.command else []
        return "\n".join(fit_line(line, LONGEST_LINE) for line in lines).rstrip() + "\n"


class ConsoleLinks(msgspec.Struct, frozen=True):
    """Where things are looked at. `machine` is the release machine's ARN, empty when unknown."""

    environment: str
    machine: str = ""

    def execution(self, release: str) -> str:
        """The console's page of a release's execution."""
        if not self.machine or not release:
            return ""
        return page_of(f"{self.machine.replace(':stateMachine:', ':execution:')}:{release}")


def page_of(execution: str) -> str:
    """The console's page of an execution, by its ARN; empty for what is none."""
    region = next(iter(execution.split(":")[3:4]), "")
    if not region:
        return ""
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}"


class Filled:
    """Fills templates from an event; what the event does not say is a question mark, never an error."""

    def __init__(self, detail: Detail) -> None:
        self._values = {"service": str(detail.get("subject", "?"))}
        self._values |= {key: in_words(value) for key, value in detail.items()}

    def __call__(self, template: str) -> str:
        return template.format_map(_Missing(self._values))


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def facts_of(*pairs: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((label, in_words(value)) for label, value in pairs if value not in (None, "", [], {}, ()))


def in_words(value: Any) -> str:
    """A value of an event as people read it: never as a language writes it down."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {in_words(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(in_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return "" if value is None else str(value)


def sentence(text: str) -> str:
    text = text.strip()
    stop = "" if not text or text.endswith((".", "!", "?")) else "."
    return text[:1].upper() + text[1:] + stop


def finite_number(value: Any) -> float:
    """What an event says is a number; 0 where it is none."""
    return value if isinstance(value, (int, float)) and math.isfinite(value) else 0


def mapping(value: Any) -> Mapping[str, Any]:
    """What an event says is a mapping; empty where it is none."""
    return value if isinstance(value, Mapping) else {}


def utc_clock(at: Any) -> str:
    """Epoch seconds as people read them; empty for what is no time of ours."""
    if not 0 < finite_number(at) < LAST_MOMENT:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
