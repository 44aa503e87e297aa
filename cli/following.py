"""Following a release or train to its end: a line an event for logs, a document a change for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import tzinfo

import msgspec

from candlefish.errors import Unavailable
from candlefish.views.model import EntryView, ReleaseView
from cli.exits import MEANS, Exit
from cli.looking import Look, Looker
from cli.screen.cells import clean
from cli.screen.release import entry_text, summary_text
from cli.screen.train import train_text
from cli.terminal import echo

# Seconds between two looks, and for how long nobody may answer before a log is told that nobody can tell.
EVERY = 1.0
LOST = 300.0


class Teller:
    """What is new since the last look, as lines of a log."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._told: set[tuple[str, float, str, str]] = set()

    def lines(self, look: Look) -> Iterator[str]:
        """A line for each entry that was not told yet, oldest first."""
        releases = [car.release for car in look.train.cars] if look.train else [look.release]
        for release in releases:
            if release is not None:
                before = f"{release.id}  " if look.train else ""
                yield from (before + each for each in self._new(release))

    def _new(self, release: ReleaseView) -> Iterator[str]:
        if release.older and not any(key[0] == release.id for key in self._told):
            yield "(what happened before is in: candlefish status " + release.id + ")"
        for entry in reversed(release.timeline):
            key = _key(release, entry)
            if key not in self._told:
                self._told.add(key)
                yield entry_text(entry, self._zone)


def _key(release: ReleaseView, entry: EntryView) -> tuple[str, float, str, str]:
    return release.id, entry.at, entry.kind, entry.says


def in_lines(name: str, look: Looker, zone: tzinfo | None, environment: str) -> Exit:
    """Tell a log what happens to what has a name, and at the end how it stands."""
    teller = Teller(zone)

    def tell(seen: Look) -> None:
        for line in teller.lines(seen):
            echo(line)

    last = _to_the_end(name, look, tell)
    for line in ending(last, zone, environment):
        echo(line)
    assert last.end is not None
    return last.end


def in_documents(name: str, look: Looker) -> Exit:
    """Print a JSON document for each change, in one line; that of `now` alone is none."""
    before = b""

    def tell(seen: Look) -> None:
        nonlocal before
        document = msgspec.to_builtins(seen.document)
        made = msgspec.json.encode(_without_now(document))
        if made != before:
            before = made
            echo(msgspec.json.encode(document).decode())

    last = _to_the_end(name, look, tell)
    assert last.end is not None
    if last.release is None and last.why:
        echo(last.why, err=True)
    return last.end


def _without_now(document: object) -> object:
    if isinstance(document, dict):
        return {key: _without_now(value) for key, value in document.items() if key != "now"}
    if isinstance(document, list):
        return [_without_now(each) for each in document]
    return document


def _to_the_end(name: str, look: Looker, tell: Callable[[Look], None]) -> Look:
    last, lost_since = Look(name), 0.0
    while True:
        try:
            last = look()
        except Unavailable as error:
            now = time.monotonic()
            if not lost_since:
                lost_since = now
                echo(f"nobody can tell how it stands: {error}", err=True)
            if now - lost_since > LOST:
                return msgspec.structs.replace(last, end=Exit.UNKNOWN, why=str(error))
        else:
            if lost_since:
                echo("it answers again", err=True)
            lost_since = 0.0
            tell(last)
            if last.end is not None:
                return last
        time.sleep(EVERY)


def ending(look: Look, zone: tzinfo | None, environment: str) -> list[str]:
    """The last lines: how it stands, and what that means for whoever waited."""
    lines: list[str] = []
    if look.train is not None:
        lines += train_text(look.train)
    elif look.release is not None:
        lines += summary_text(look.release, look.release.now, zone)
    elif look.why:
        lines.append(f"{look.name}: {clean(look.why)}")
    if look.end in (Exit.UNKNOWN, Exit.QUEUED):
        lines.append(MEANS[look.end])
    if look.end is Exit.UNKNOWN:
        lines.append(f"look again: candlefish watch {look.name} -e {environment}")
    return lines


def leaving(look: Look, environment: str) -> list[str]:
    """What is said to whoever leaves: that it goes on, how to look again, and how to stop it."""
    if look.end is not None:
        return []
    what = "train" if look.train else "release"
    lines = [
        f"You left; the {what} {look.name} goes on.",
        f"  look again:  candlefish watch {look.name} -e {environment}",
    ]
    if look.release is not None:
        lines.append(f'  stop it:     candlefish abort {look.release.id} -e {environment} --reason "..."')
    return lines
