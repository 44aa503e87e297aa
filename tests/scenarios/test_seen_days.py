"""Days of faults as people see them: whatever happens there is a view, and what is not well is never shown as well."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from candlefish.service.record import ServiceRecord
from candlefish.views.fleet_view import in_flight
from candlefish.views.model import FleetView, Reader, ReleaseView
from candlefish.views.ports import Looking
from candlefish.views.see_audit import see_audit
from candlefish.views.see_fleet import see_fleet
from candlefish.views.see_release import see_release
from lab.memory.views import MemoryHistory, MemorySignalHistory
from lab.simulator.day import play
from lab.simulator.invariants import Invariants
from lab.simulator.plan import draw
from lab.simulator.site import Site

# One of each environment.
SEEDS = {draw(seed).environment: seed for seed in range(1, 40)}
# Seconds between two looks.
EVERY = 120.0
READER = Reader("looker", "platform-lead", ("reader", "operator", "approver"))


class Looks:
    """Somebody who looks at everything now and then."""

    def __init__(self, site: Site) -> None:
        stores = site.stores
        self.site, self.next, self.seen = site, 0.0, Counter[str]()
        self.looking = Looking(
            site.environment,
            site.catalog,
            stores.records,
            MemoryHistory(stores.journal_store, stores.approvals, stores.looks),
            site.kernel.now,
            switchboard=stores.switchboard,
            capacity=None if site.declared.production else stores.store,
            freezes=stores.asked_freezes,
            runs=stores.runs,
        )

    def look(self) -> None:
        now = self.site.kernel.now()
        if now < self.next:
            return
        self.next = now + EVERY
        fleet = see_fleet(READER, looking=self.looking)
        self.fleet_is_right(fleet)
        for record in self.site.stores.records.stored.values():
            for id in {in_flight(record, now), record.promoted_release} - {""}:
                if id in self.site.stores.journal_store.releases:
                    view = see_release(id, READER, looking=self.looking, live=False)
                    self.release_is_right(view, self.site.stores.records.stored[view.service])

    def fleet_is_right(self, view: FleetView) -> None:
        assert msgspec.json.decode(msgspec.json.encode(view), type=FleetView) == view
        cells = {cell.service: cell for cell in view.cells}
        for record in self.site.stores.records.stored.values():
            cell = cells[record.service]
            if record.holder or record.rollback:
                assert cell.release == in_flight(record, view.now) or cell.tone == "unknown", cell
            if record.quarantine:
                assert cell.tone == "bad"
        asked = {need.release for need in view.needs if need.question}
        assert asked == {
            cell.release for cell in view.cells if cell.status == "awaiting_approval" and cell.needs_person
        }

    def release_is_right(self, view: ReleaseView, record: ServiceRecord) -> None:
        self.seen[f"{view.status} {view.tone}"] += 1
        if view.tone == "good":
            assert view.evidence.state == "no_harm" or view.status == "promoted", view.says
            assert not record.quarantine or view.status == "promoted"
        if view.status in ("rolling_back", "rolled_back"):
            assert view.tone == "bad"
        running = [step for step in view.steps if step.state in ("now", "failed")]
        assert len(running) <= 1
        if view.status == "promoted":
            assert {step.state for step in view.steps} <= {"done", "skipped"}
        if view.evidence.new:
            self.seen["judged"] += 1
        for action in view.actions:
            assert action.may != bool(action.why_not)


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS.keys())
def test_whatever_happens_in_a_day_there_is_a_view_and_what_is_not_well_is_not_shown_as_well(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Looks] = []
    usual, after = Invariants.__init__, Invariants._after_event

    def begin(self: Invariants, site: Site) -> None:
        usual(self, site)
        made.append(Looks(site))

    def look(self: Invariants, name: str) -> None:
        after(self, name)
        made[-1].look()

    monkeypatch.setattr(Invariants, "__init__", begin)
    monkeypatch.setattr(Invariants, "_after_event", look)
    outcome = play(draw(seed))
    assert outcome.broken == ()
    (looks,) = made
    print(dict(looks.seen))
    assert sum(looks.seen.values()) > 20
    page = see_audit(
        looking=looks.looking,
        signals=MemorySignalHistory(looks.site.stores.log.lines),
        runs=looks.site.stores.runs,
    )
    assert page.lines
