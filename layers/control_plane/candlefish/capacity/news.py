"""The words of capacity: which events an environment's sleep leads to, and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from candlefish.capacity.model import Note

# kind -> (title, tone, what to type next).
NEWS = {
    "asked": ("{by} said {action} for {environment}", "info", "candlefish schedule -e {environment}"),
    "sleeping": (
        "{environment} goes to sleep",
        "info",
        "candlefish wake -e {environment} --until 2h --reason ...",
    ),
    "asleep": ("{environment} is asleep", "good", ""),
    "waking": ("{environment} wakes up", "info", ""),
    "awake": ("{environment} is awake", "good", ""),
    "postponed": ("{environment} stays awake for now", "info", "candlefish status -e {environment}"),
    "queued": (
        "A {machine} to {environment} waits until it is awake",
        "info",
        "candlefish wake -e {environment} --until 2h --reason ...",
    ),
    "changed": ("Something in {environment} is not as it was left", "warning", ""),
    "incomplete": ("{environment} is NOT awake", "bad", "candlefish capacity show -e {environment}"),
}


def capacity_event(
    kind: str, environment: str, reason: str, at: float, **more: Any
) -> tuple[str, dict[str, Any]]:
    """The event `capacity.<kind>` and its detail. `at` is epoch seconds; `tone` in `more` wins over the table's."""
    title, tone, command = NEWS[kind]
    known = {"environment": environment, **{key: more.get(key, "") for key in ("by", "action", "machine")}}
    detail = {
        "environment": environment,
        "title": title.format_map(known),
        "tone": tone,
        "command": command.format_map(known),
        "reason": reason,
        "at": at,
        **more,
    }
    return f"capacity.{kind}", detail


def changed_event(environment: str, notes: Mapping[str, Note], at: float) -> tuple[str, dict[str, Any]]:
    """What was found not to be as it was left, all of one look in one event."""
    reason = abridged(f"{key}: {note.detail}" for key, note in notes.items())
    things = {key: {"what": note.why, "reason": note.detail} for key, note in list(notes.items())[:100]}
    return capacity_event("changed", environment, reason, at, things=things)


def abridged(names: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")
