"""An environment, a service and its releases, as `status` prints them. Pure; what is printed may be longer than a screen."""

from __future__ import annotations

from datetime import tzinfo

from candlefish.views.model import (
    FleetView,
    Left,
    NeedView,
    ReleaseLine,
    ReleasesPage,
    ServiceCell,
    ServiceView,
)
from cli.screen.cells import Line, Span, clean, fitted, line, padded, paragraph, width_of
from cli.screen.clock import day_and_clock, lasting, left
from cli.screen.release import SIGNS, older, question_parts, release_lines, slots

# A release of a service is drawn with so many lines at most.
RELEASE_LINES = 40


def fleet_lines(
    view: FleetView, width: int, now: float, zone: tzinfo | None, *, only: str = ""
) -> list[Line]:
    """What needs a person first; then each environment with its services. `only` one environment, where it is named."""
    sign, style = SIGNS[view.tone]
    lines = paragraph(view.says, width, 4, style, first=f"{sign} ", then="  ")
    needs = [each for each in view.needs if not only or each.environment == only]
    if needs:
        lines += [(), line(Span("needs a person", "bold"))]
        lines += [each for need in needs for each in _need(need, width, now, zone)]
    for column in view.environments:
        if only and column.environment != only:
            continue
        sign, style = SIGNS[column.tone]
        said = f"{column.environment}: {column.unknown or column.says}"
        lines += [(), *paragraph(said, width, 3, "bold", first=f"{sign} ", then="  ")]
        if column.automation_off:
            lines += paragraph(column.automation_off, width, 3, "bad", first="  ! ", then="    ")  # fmt: skip
        for each in column.left:
            lines += paragraph(_left(each, now, zone), width, 2, "dim", first="  ", then="    ")
        cells = [cell for cell in view.cells if cell.environment == column.environment]
        lines += [each for cell in cells for each in _cell(cell, cells, width, now, zone)]
    lines += _unknown(view.unknown, width)
    return lines


def _unknown(texts: tuple[str, ...], width: int) -> list[Line]:
    return [each for text in texts for each in paragraph(text, width, 3, "unknown", first="? ", then="  ")]


def _left(each: Left, now: float, zone: tzinfo | None) -> str:
    return f"{each.what}: {left(each.until, now, zone)}" + (f": {each.says}" if each.says else "")


def _need(need: NeedView, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    sign, style = SIGNS[need.tone]
    ago = f" ({lasting(now - need.at)} ago)" if 0 < need.at <= now else ""
    lines = paragraph(f"{need.says}{ago}", width, 4, style, first=f"{sign} ", then="  ")
    if need.release:
        lines.append(_id(need.release))
    for _, part in question_parts(need.question, width, now, zone):
        lines += part
    if need.command:
        # To be copied as it stands: a line that is not cut, whatever the width.
        lines.append(line("    ", clean(need.command)))
    return lines


def _id(name: str) -> Line:
    """An id on a line of its own, which is never cut."""
    return line("    ", Span(clean(name), "dim"))


def _cell(
    cell: ServiceCell, beside: list[ServiceCell], width: int, now: float, zone: tzinfo | None
) -> list[Line]:
    sign, style = SIGNS[cell.tone]
    wide = min(max(width_of([Span(clean(each.service))]) for each in beside), max(width // 3, 8))
    flags = [word for word, is_so in (("asleep", cell.asleep), ("frozen", cell.frozen), ("held", cell.held)) if is_so]  # fmt: skip
    step = [f"step {cell.step} of {cell.steps}"] if cell.release and cell.step else []
    until = [left(cell.left.until, now, zone)] if cell.left else []
    more = "; ".join([*flags, *step, *until])
    said = f"{cell.says} ({more})" if more else cell.says
    before = f"{sign} {padded(clean(cell.service), wide)}  "
    lines = paragraph(said, width, 3, "", first=before, then=" " * (wide + 4))
    if lines:
        lines[0] = fitted((Span(before, style), *lines[0][1:]), width)
    return [*lines, _id(cell.release)] if cell.release else lines


def service_lines(view: ServiceView, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """How a service stands, what it is released with now, and its releases, newest first."""
    cell = view.cell
    sign, style = SIGNS[cell.tone]
    owner = f"  owner {clean(cell.owner)}" if cell.owner else ""
    lines = [
        fitted(line(Span(clean(cell.service), "bold"), "  ", clean(cell.environment), owner), width),
        *paragraph(cell.says, width, 4, style, first=f"{sign} ", then="  "),
    ]
    if view.release is None:
        lines += slots(view, width)
    lines += [each for hold in view.holds for each in paragraph(hold, width, 3, "warning", first="‖ ", then="  ")]  # fmt: skip
    # A release says its own.
    for each in view.left if view.release is None else ():
        lines += paragraph(_left(each, now, zone), width, 2, "dim")
    lines += _unknown(view.unknown, width)
    if view.release is not None:
        lines += [(), _id(view.release.id), *release_lines(view.release, width, RELEASE_LINES, now, zone)]
    if view.releases:
        lines += [(), line(Span("releases, newest first", "bold"))]
        lines += [each for release in view.releases for each in _release(release, width, now, zone)]
    return [*lines, *older(view.older)]


def release_rows(view: ReleasesPage, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """A page of a service's releases, newest first."""
    rows = [each for release in view.releases for each in _release(release, width, now, zone)]
    return [*rows, *older(view.older)]


def _release(release: ReleaseLine, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    sign, style = SIGNS[release.tone]
    at = day_and_clock(release.started_at, zone, now)
    return [
        line(Span(f"{sign} ", style), clean(release.id)),
        *paragraph(
            f"{at}  {release.version}  {release.says}", width, 3, style, first="    ", then="      "
        ),
        *paragraph(f"{release.requested_by.name}: {release.reason}", width, 2, "dim", first="    ", then="      "),
    ]  # fmt: skip
