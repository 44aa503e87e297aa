"""How costs and capacity look in a terminal and as a chart."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from candlefish.capacity.calendar import agenda
from candlefish.capacity.model import CapacityRecord, Nap, Note, Queued, Saved, Sleep
from candlefish.catalog.model import Catalog
from candlefish.cost.outlook import outlook
from cli.capacity import capacity_view
from cli.cost import Line, as_table, draw
from tests.support.bills import DEVELOPMENT, HOLIDAYS, PRODUCTION, STAGING, TABLES, ZONE, bill, moment

NOW = moment("2026-08-20T13:00")


def lines() -> list[Line]:
    envs = (DEVELOPMENT, PRODUCTION, STAGING)
    catalog = Catalog(
        services={},
        environments={env.name: env for env in envs},
        strategies={},
        policies={},
        calendars={"us": HOLIDAYS},
    )
    seen = bill(NOW)
    found = []
    for env in envs:
        record = CapacityRecord(env.name)
        if env.name in TABLES:
            nights = agenda(TABLES[env.name], (), moment("2026-06-15T00:00"), NOW)
            naps = tuple(Nap(each.start, each.end) for each in nights if each.state == "asleep")
            record = msgspec.structs.replace(record, naps=naps)
        found.append(Line(env, seen, outlook(seen, env, catalog, record, NOW)))
    return found


def printed(what: object) -> str:
    console = Console(width=150, record=True, file=StringIO())
    console.print(what)
    return console.export_text()


def test_the_table_has_all_that_matters_for_each_environment() -> None:
    text = printed(as_table(lines()))
    for word in ("development", "production", "staging", "400-600", "800-1200", "Costs in 2026-08"):
        assert word in text
    rows = {cells[0]: cells for line in text.splitlines() if len(cells := line.replace("│", " ").split()) > 7}
    assert rows["production"][-1] == "-"
    assert float(rows["staging"][-1]) > 50


def test_the_chart_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "cost.png"
    draw(lines(), file)
    assert file.read_bytes()[:4] == b"\x89PNG"
    assert file.stat().st_size > 20_000


def test_a_record_says_where_it_is_and_what_was_found() -> None:
    record = CapacityRecord(
        "staging",
        goal="asleep",
        phase="asleep",
        phase_at=NOW - 7200,
        reason="asleep outside Mon-Fri 06:00-22:00",
        saved=Sleep(
            4,
            NOW - 9000,
            {"Deployment/staging/api": Saved({"spec": {"replicas": 3}}, {"spec": {"replicas": 0}})},
        ),
        notes={"Nodegroup/system": Note("resisted", "set to sleep 3 times, but it is minSize 2", NOW - 8000)},
        queue=(Queued("api-20260820", {}, NOW - 60),),
    )
    text = printed(capacity_view(record, ZONE, NOW, everything=True))
    for word in (
        "staging asleep since Thu 20 Aug 04:00",
        "2.0 hours",
        "resisted",
        "api-20260820",
        "'replicas': 3",
    ):
        assert word in text
