"""A train on one screen: a line a service, and below it the release that is under way. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Literal

import msgspec

from candlefish.views.model import ReleaseView
from cli.screen.cells import Line, Span, clean, fitted, line, padded, paragraph, width_of
from cli.screen.clock import lasting
from cli.screen.release import SIGNS, release_lines

Outcome = Literal["under way", "arrived", "taken back", "queued", "refused", "not known"]
_TONES = {
    "under way": "info",
    "arrived": "good",
    "taken back": "bad",
    "queued": "warning",
    "refused": "bad",
    "not known": "unknown",
}


class Car(msgspec.Struct, frozen=True):
    """A service of a train, and its release once it has begun."""

    service: str
    release: ReleaseView | None = None


class TrainView(msgspec.Struct, frozen=True):
    """A train as its machine and its releases say. `says` is why it ended, or nothing."""

    id: str
    environment: str
    outcome: Outcome
    says: str
    started_at: float
    cars: tuple[Car, ...]

    @property
    def current(self) -> ReleaseView | None:
        """The release that is under way, else the one that was last."""
        begun = [car.release for car in self.cars if car.release]
        shown = [each for each in begun if not each.ended_at] or begun
        return shown[-1] if shown else None


def train_lines(view: TrainView, width: int, height: int, now: float, zone: tzinfo | None) -> list[Line]:
    """At most `height` lines: half of them for the train, the others for the release that is under way."""
    sign, style = SIGNS[_TONES[view.outcome]]
    done = sum(car.release is not None and car.release.status == "promoted" for car in view.cars)
    head = line(
        Span(f"{sign} train", style),
        f"  {done} of {len(view.cars)} promoted  ",
        Span(view.outcome, style),
        f"  {clean(view.environment)}  {lasting(now - view.started_at)}" if view.started_at else "",
    )
    lines = [fitted(head, width), *paragraph(view.says, width, 2, style, first="  ", then="  ")]
    current = view.current
    room = max(height // 2, 2) if current else height
    wide = min(
        max((width_of([Span(clean(car.service))]) for car in view.cars), default=1), max(width // 3, 6)
    )
    cars = [_car(car, wide, width) for car in _around(view, max(room - len(lines), 1))]
    lines = [*lines, *cars][:room]
    if current is not None:
        # The line between train and release.
        lines.append(line(Span("─" * width, "dim")))
        lines += release_lines(current, width, height - len(lines), now, zone)
    return lines[:height]


def _around(view: TrainView, room: int) -> tuple[Car, ...]:
    """The cars that there is room for, the one that is under way among them."""
    at = max((n for n, car in enumerate(view.cars) if car.release), default=0)
    first = max(min(at - room // 2, len(view.cars) - room), 0)
    return view.cars[first : first + room]


def _car(car: Car, wide: int, width: int) -> Line:
    name = padded(clean(car.service), wide)
    if car.release is None:
        return fitted(line(Span(f"  ○ {name}  not begun", "dim")), width)
    sign, style = SIGNS[car.release.tone]
    old = f"{clean(car.release.old.label)} -> " if car.release.old else ""
    status = car.release.status.replace("_", " ")
    return fitted(
        line(
            Span(f"  {sign} {name}  ", style),
            Span(status, style),
            f"  {old}{clean(car.release.new.label)}  ",
            clean(car.release.says),
        ),
        width,
    )


def train_text(view: TrainView) -> list[str]:
    """How a train stands, as the last lines of a log."""
    lines = []
    for car in view.cars:
        if car.release is None:
            lines.append(f"○ {clean(car.service)}: not begun")
        else:
            sign, _ = SIGNS[car.release.tone]
            lines.append(f"{sign} {car.release.id}: {clean(car.release.says)}")
    why = clean(view.says) or ", ".join(clean(car.service) for car in view.cars)
    return [*lines, f"{view.id} {view.outcome}: {why}"]
