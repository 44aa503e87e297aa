"""An environment at a glance, and several of them side by side (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from candlefish.catalog.model import Catalog
from candlefish.service.record import AllRecords, ServiceRecord
from candlefish.views.cells import (
    failover_need,
    marked,
    newest_first,
    owner_in,
    service_cell,
    sleep_left,
    unreadable_cell,
    waking_need,
)
from candlefish.views.facts import Surroundings
from candlefish.views.look import glanced_facts
from candlefish.views.model import (
    WORST_FIRST,
    ColumnView,
    FleetView,
    Left,
    NeedView,
    Reader,
    ServiceCell,
    Tone,
)
from candlefish.views.needs import signal_needs
from candlefish.views.ports import Glance
from candlefish.views.words import many

_RUNNING = frozenset({"running", "held", "awaiting_approval", "rolling_back"})


def fleet_view(
    known: AllRecords,
    glances: Mapping[str, Glance],
    around: Surroundings,
    reader: Reader,
    catalog: Catalog,
    environment: str,
    now: float,
) -> FleetView:
    """One environment: what needs a person, and a cell for each service that is onboarded or declared."""
    cells: list[ServiceCell] = []
    needs: list[NeedView] = []
    for record in known:
        glance = glances.get(in_flight(record, now))
        facts = glanced_facts(glance, record, around, now) if glance else None
        cell, its_needs = service_cell(record, facts, around, reader, catalog, now)
        cells.append(cell)
        needs += its_needs
    for lost in known.unreadable:
        cell, need = unreadable_cell(lost, environment, catalog, now)
        cells.append(cell)
        needs.append(need)
    needs += [failover_need(run, now) for run in around.waiting]
    if around.not_awake:
        needs.append(waking_need(around, environment))
    astray = {record.service for record in known if record.remnant}
    of_signals = signal_needs(around.signals, environment, astray, now)
    needs += of_signals
    there = {cell.service for cell in cells}
    cells += [
        ServiceCell(environment, name, "not onboarded", "info", owner=owner_in(name, catalog))
        for name in catalog.services
        if name not in there
    ]
    cells = [marked(cell, of_signals) for cell in cells]
    column = _column(cells, needs, around, catalog, environment, now)
    unreadable = [f"{id}: {glance.unreadable}" for id, glance in glances.items() if glance.unreadable]
    return FleetView(
        now=now,
        says=column.says,
        tone=column.tone,
        needs=newest_first(needs),
        environments=(column,),
        cells=tuple(sorted(cells, key=lambda cell: cell.service)),
        unknown=(*around.unknown, *unreadable),
        here=environment,
    )


def in_flight(record: ServiceRecord, now: float) -> str:
    """The release that is under way, being taken back, or watched in its window; empty where none is."""
    under_way = record.rollback or record.holder
    if under_way:
        return under_way.release
    return record.promoted_release if record.window_until > now else ""


def _column(
    cells: Sequence[ServiceCell],
    needs: Sequence[NeedView],
    around: Surroundings,
    catalog: Catalog,
    environment: str,
    now: float,
) -> ColumnView:
    running = sum(cell.status in _RUNNING for cell in cells)
    says = []
    if around.automation_off:
        says.append("automation is off")
    if needs:
        says.append(f"{many(len(needs), 'thing needs', 'things need')} a person")
    if around.asleep or around.going:
        says.append("asleep" if around.asleep else around.going)
    if running:
        says.append(f"{many(running, 'release is', 'releases are')} under way")
    if not says:
        says.append("all is at rest")
    tone: Tone = "good"
    if around.asleep or around.going:
        tone = "info"
    if any(cell.tone == "unknown" for cell in cells) or around.unknown:
        tone = "unknown"
    if needs or around.automation_off:
        tone = "warning"
    if any(need.tone == "bad" for need in needs) or any(cell.tone == "bad" for cell in cells):
        tone = "bad"
    left = [Left("freeze", each.until, f"frozen until then: {each.reason}") for each in around.freezes]
    if sleeps := sleep_left(around):
        left.append(sleeps)
    declared = catalog.environments.get(environment)
    return ColumnView(
        environment=environment,
        production=bool(declared and declared.production),
        says="; ".join(says),
        tone=tone,
        automation_off=around.automation_off,
        asleep=around.asleep,
        left=tuple(left),
        unknown="; ".join(around.unknown),
    )


def silent_column(environment: str, catalog: Catalog, why: str) -> ColumnView:
    """An environment whose control plane does not answer: unknown, and why."""
    declared = catalog.environments.get(environment)
    return ColumnView(
        environment, bool(declared and declared.production), f"not known: {why}", "unknown", unknown=why
    )


def beside_each_other(
    here: FleetView, others: Iterable[FleetView], silent: Iterable[ColumnView] = ()
) -> FleetView:
    """Several environments in one view, this stack's first; what is pressed elsewhere is pressed there."""
    views = [here, *others]
    columns = [column for view in views for column in view.environments] + list(silent)
    tones = [column.tone for column in columns]
    needs = [
        need
        if view is here
        else NeedView(
            need.at,
            need.tone,
            need.says,
            need.environment,
            need.service,
            need.release,
            need.question,
            (),
            need.command,
        )
        for view in views
        for need in view.needs
    ]
    says = (
        here.says
        if len(columns) == 1
        else "; ".join(f"{column.environment}: {column.says}" for column in columns)
    )
    return FleetView(
        now=here.now,
        says=says,
        tone=next((tone for tone in WORST_FIRST if tone in tones), "good"),
        needs=newest_first(needs),
        environments=tuple(columns),
        cells=tuple(cell for view in views for cell in view.cells),
        unknown=tuple(line for view in views for line in view.unknown),
        here=here.here,
    )
