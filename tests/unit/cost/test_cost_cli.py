"""How costs and capacity look in a terminal and as a chart."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from candlefish.capacity.calendar import agenda
from candlefish.capacity.model import CapacityRecord, Nap, Note, Queued, Saved, Sleep
from candlefish.catalog.model import Catalog
from candlefish.views.model import CostView
from candlefish.views.ports import Looking
from candlefish.views.see_cost import see_cost
from cli.capacity import capacity_view
from cli.cost import draw
from cli.screen.cost import cost_lines
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.cost import MemoryBillStore
from lab.memory.service import MemoryRecords
from lab.memory.views import MemoryHistory
from tests.support.bills import DEVELOPMENT, HOLIDAYS, PRODUCTION, STAGING, TABLES, ZONE, bill, moment
from tests.support.clock import Clock
from tests.support.release import FakeJournal
from tests.support.screens import text

NOW = moment("2026-08-20T13:00")


def views() -> list[CostView]:
    envs = (DEVELOPMENT, PRODUCTION, STAGING)
    catalog = Catalog(
        services={},
        environments={env.name: env for env in envs},
        strategies={},
        policies={},
        calendars={"us": HOLIDAYS},
    )
    bills = MemoryBillStore()
    bills.keep(bill(NOW))
    found = []
    for env in envs:
        store = None
        if env.name in TABLES:
            nights = agenda(TABLES[env.name], (), moment("2026-06-15T00:00"), NOW)
            naps = tuple(Nap(each.start, each.end) for each in nights if each.state == "asleep")
            store = MemoryCapacityStore(env.name)
            store.record = msgspec.structs.replace(store.record, naps=naps)
        looking = Looking(
            env.name,
            catalog,
            MemoryRecords(),
            MemoryHistory(FakeJournal().memory),
            Clock(NOW),
            capacity=store,
        )
        found.append(see_cost(looking=looking, bills=bills))
    return found


def printed(what: object) -> str:
    console = Console(width=150, record=True, file=StringIO())
    console.print(what)
    return console.export_text()


def test_each_environment_says_all_that_matters() -> None:
    told = {view.environment: text(cost_lines(view, 200, NOW, None)) for view in views()}
    for words in ("2026-08: spent", "forecast", "likely", "target 800 to 1,200", "as billed until"):
        assert words in told["production"]
    assert "target 400 to 600" in told["staging"] and "saved" not in told["production"]
    assert "asleep" in told["staging"]
    saved = {view.environment: view.saved for view in views()}
    assert saved["production"] is None and (saved["staging"] or 0) > 50


def test_the_chart_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "cost.png"
    draw(views(), file)
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
