"""Signals, recovery, the calendar, costs, the audit, and who one is, as people see them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from candlefish.backups.model import AuditFinding, AuditReport, Snapshot
from candlefish.backups.record import Drill
from candlefish.capacity.model import ScheduleOverride
from candlefish.catalog.model import Cost
from candlefish.cost.model import Bill
from candlefish.errors import InvalidInput
from candlefish.failover.model import SELDOM, FailoverEntry, FailoverStep, Pace, Run
from candlefish.release.model import AskedFreeze, ReleaseEntry
from candlefish.release.record import add_freeze
from candlefish.signals.model import Alert, LoggedSignal, Signal, SignalDecision
from candlefish.signals.record import Claim, GuardRecord, Mute
from candlefish.views.entries import WORDS
from candlefish.views.model import Reader
from candlefish.views.ports import Looking, SignalsPortion
from candlefish.views.see_audit import AUDITED, see_audit
from candlefish.views.see_calendar import see_calendar
from candlefish.views.see_cost import see_cost
from candlefish.views.see_me import see_me
from candlefish.views.see_recovery import see_recovery
from candlefish.views.see_signals import see_signals
from lab.memory.backups import MemoryDrills
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.cost import MemoryBillStore
from lab.memory.failover.runs import MemoryRuns
from lab.memory.release import MemoryFreezes
from lab.memory.service import MemoryRecords
from lab.memory.views import MemoryHistory, MemorySignalHistory
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.release import FakeJournal
from tests.support.seen_release import DEVELOPER, LEAD, VISITOR, Watched

DAY = 86400.0


def looking(environment: str = "production", **more: Any) -> Looking:
    return Looking(
        environment, catalog(), MemoryRecords(), MemoryHistory(FakeJournal().memory), Clock(), **more
    )


# --- signals


def logged(
    at: float, name: str = "slow", *, status: str = "firing", severity: str = "P1", **decision: Any
) -> LoggedSignal:
    alert = Alert(name, status, {}, at, at, summary="p99 over 2 s")  # type: ignore[arg-type]
    signal = Signal(
        alert, "cloudwatch", name, "production", "service", "website", severity, "rollback", at, at
    )  # type: ignore[arg-type]
    outcome, count = decision.pop("outcome", ""), decision.pop("count", 1)
    made = SignalDecision(**{"action": "none", "reason": "because", **decision})
    return LoggedSignal(at, signal, made, count, outcome=outcome)


@pytest.mark.parametrize(
    ("line", "says", "tone"),
    [
        (
            logged(1, action="rollback", reason="promoted 12 min ago"),
            "slow of website fires: its release is rolled back: promoted 12 min ago",
            "bad",
        ),
        (
            logged(1, gate="cooldown", reason="one ran 20 min ago"),
            "slow of website fires: refused (cooldown): one ran 20 min ago",
            "warning",
        ),
        (
            logged(1, severity="P2", gate="muted", reason="muted by lead"),
            "slow of website fires: refused (muted): muted by lead",
            "info",
        ),
        (
            logged(1, status="resolved", action="lift", reason="it is over"),
            "slow of website is over: what it held is let go on: it is over",
            "info",
        ),
        (
            logged(1, status="unknown", reason="the alarm has no data"),
            "slow of website is not known any more: the alarm has no data",
            "unknown",
        ),
        (
            logged(1, action="rollback", outcome="failed", reason="errors go on"),
            "slow of website fires: it did not take effect: errors go on",
            "bad",
        ),
        (logged(1, count=40, reason="a storm"), "slow of website fires: a storm (40 alike)", "warning"),
        # A decision that names the signal is not told after its name.
        (
            logged(1, status="resolved", reason="slow ended; nothing was held for it"),
            "slow ended; nothing was held for it",
            "info",
        ),
        (
            logged(1, action="rollback", reason="P1 slow on website began 2 min after release r2"),
            "its release is rolled back: P1 slow on website began 2 min after release r2",
            "bad",
        ),
    ],
)
def test_a_signal_says_what_was_decided_or_why_it_was_refused(
    line: LoggedSignal, says: str, tone: str
) -> None:
    (view,) = see_signals(looking=looking(), signals=MemorySignalHistory([line]), guard=GuardRecord).signals
    assert (view.says, view.tone) == (says, tone)


def test_how_many_alerts_fire_is_counted_by_their_newest_word() -> None:
    def heard(*lines: LoggedSignal) -> str:
        return see_signals(looking=looking(), signals=MemorySignalHistory(lines), guard=GuardRecord).says

    assert heard() == "no signal has come yet"
    assert heard(logged(1, "slow")) == "1 signal of 1 alert, 1 of which fires"
    over = logged(2, "slow", status="resolved")
    assert heard(logged(1, "slow"), over) == "2 signals of 1 alert, none of which fires"
    late = logged(3, "slow", gate="order")
    assert heard(over, late, logged(4, "down"), logged(5, "full")) == "4 signals of 3 alerts, 2 of which fire"
    again = logged(3, "slow", gate="duplicate")
    assert heard(over, again) == "2 signals of 1 alert, 1 of which fires"
    assert (
        heard(*(logged(n, f"a{n}") for n in range(1, 120)))
        == "50 newest signals of 50 alerts, 50 of which fire"
    )


def test_an_alarm_of_ours_is_named_once() -> None:
    name = "candlefish-control-plane-production-reconciler"
    line = logged(1, name, reason="it goes straight to people")
    subject = f"{name} FunctionName=candlefish-production-reconcile-traffic"
    own = msgspec.structs.replace(
        line, signal=msgspec.structs.replace(line.signal, kind="other", subject=subject)
    )
    (view,) = see_signals(looking=looking(), signals=MemorySignalHistory([own]), guard=GuardRecord).signals
    assert view.says == (
        f"{name} of FunctionName=candlefish-production-reconcile-traffic fires: it goes straight to people"
    )


def test_signals_come_in_pages() -> None:
    lines = [logged(float(n + 1), f"a{n}") for n in range(120)]
    history = MemorySignalHistory(lines)
    told, before = [], ""
    for _ in range(5):
        page = see_signals(before, looking=looking(), signals=history, guard=GuardRecord)
        told += [view.name for view in page.signals]
        before = page.older
        if not before:
            break
    assert told == [f"a{n}" for n in reversed(range(120))]
    with pytest.raises(InvalidInput):
        see_signals("<script>", looking=looking(), signals=history, guard=GuardRecord)


def test_so_many_signals_come_as_are_wanted_and_the_next_page_goes_on_after_them() -> None:
    history = MemorySignalHistory([logged(float(n + 1), f"a{n}") for n in range(9)])
    page = see_signals("", "4", looking=looking(), signals=history, guard=GuardRecord)
    more = see_signals(page.older, looking=looking(), signals=history, guard=GuardRecord)
    assert [view.name for view in (*page.signals, *more.signals)] == [f"a{n}" for n in reversed(range(9))]
    for wrong in ("0", "51", "x", "-1", "\u0663", "9" * 400):
        with pytest.raises(InvalidInput, match="from 1 to 50"):
            see_signals("", wrong, looking=looking(), signals=history, guard=GuardRecord)


def test_the_first_page_says_what_is_muted_and_what_cools_down_and_no_other_asks() -> None:
    now = Clock().at
    guard = GuardRecord(
        mutes=(Mute("*", "a load test", "developer", now + 60), Mute("service/x", "", "y", now - 1)),
        claims=(
            Claim("service/website", "rollback", "s1", now - 60, now + 30),
            Claim("service/x", "hold", "s2", now - 60, now - 1),
        ),
    )
    history = MemorySignalHistory([logged(1.0, action="hold"), logged(2.0)])
    page = see_signals("", "1", looking=looking(), signals=history, guard=lambda: guard)
    assert [(each.what, each.until, each.says) for each in page.left] == [
        ("mute", now + 60, "everything is muted by developer: a load test"),
        ("cooldown", now + 30, "rollback of service/website cools down"),
    ]
    assert [(view.about, view.acted) for view in page.signals] == [("service/website", False)]

    def asked() -> GuardRecord:
        raise AssertionError("a later page asks for the guard")

    older = see_signals(page.older, looking=looking(), signals=history, guard=asked)
    assert older.left == () and [view.acted for view in older.signals] == [True]


# --- recovery


def recovery(drills: MemoryDrills | None = None, runs: MemoryRuns | None = None) -> Any:
    store = drills or MemoryDrills()
    return see_recovery(looking=looking(), runs=runs or MemoryRuns(), drills=store, audits=store)


def drill(ago: float = DAY, outcome: str = "passed", **more: Any) -> Drill:
    at = Clock().at - ago
    found = {
        "restore_asked_at": at,
        "available_at": at + 1260,
        "evidence": {"beat_at": at - 400},
        "ended_at": at + 2000,
        "why": "the sentinel was there",
        **more,
    }
    return Drill(
        "d1",
        "production",
        "main",
        "schedule",
        at,
        "candlefish-drill-d1",
        Snapshot("s", at - 100),
        outcome,
        **found,
    )  # type: ignore[arg-type]


def audited(*verdicts: str, ago: float = 3600.0) -> AuditReport:
    findings = tuple(
        AuditFinding("encrypted", f"database/{n}", verdict, "why", fix="do")
        for n, verdict in enumerate(verdicts)
    )  # type: ignore[arg-type]
    return AuditReport("production", Clock().at - ago, findings)


def test_what_nobody_tried_is_unknown_and_not_well() -> None:
    view = recovery()
    assert view.says == "nobody has audited its backups yet; no restore was tried yet"
    assert view.tone == "unknown"
    assert [(each.what, each.measured, each.tone) for each in view.objectives] == [
        ("RTO", None, "unknown"),
        ("RPO", None, "unknown"),
    ]


def test_a_good_audit_and_drill_are_good_and_measured_against_what_is_promised() -> None:
    drills = MemoryDrills()
    drills.create(drill())
    drills.store(audited("pass", "pass"))
    view = recovery(drills)
    assert (
        view.says
        == "all of 2 things that were looked at are protected; the last drill, 24 hours ago, restored main in 21 minutes"
    )
    assert view.tone == "good"
    assert [(each.what, each.measured) for each in view.objectives] == [("RTO", 1260), ("RPO", 300)]
    assert view.objectives[0].says == "21 min of 4 h, in the drill of 24 hours ago"


@pytest.mark.parametrize(
    ("report", "tone", "says"),
    [
        (audited("pass", "fail"), "bad", "1 thing is not protected: database/1"),
        (audited("pass", "unknown"), "unknown", "of 1 thing nobody knows whether it is protected"),
        (
            audited("pass", ago=4 * DAY),
            "unknown",
            "all of 1 thing that were looked at are protected, 4 days ago",
        ),
    ],
    ids=["not protected", "not known", "old"],
)
def test_an_audit_that_is_not_good_is_not_shown_as_good(report: AuditReport, tone: str, says: str) -> None:
    drills = MemoryDrills()
    drills.create(drill())
    drills.store(report)
    view = recovery(drills)
    assert view.tone == tone
    assert view.says.startswith(says)


@pytest.mark.parametrize(
    ("each", "tone"),
    [
        (drill(outcome="failed", why="it could not be read", evidence={}), "bad"),
        (drill(ago=50 * DAY), "unknown"),
    ],
    ids=["failed", "old"],
)
def test_a_drill_that_failed_or_is_old_is_not_shown_as_good(each: Drill, tone: str) -> None:
    drills = MemoryDrills()
    drills.create(each)
    drills.store(audited("pass"))
    assert recovery(drills).tone == tone


def test_a_failover_that_waits_for_people_comes_first() -> None:
    runs = MemoryRuns()
    step = FailoverStep("promote", "main")
    runs.create(
        Run(
            "production",
            "database/main",
            "database-cross-region",
            1,
            (step,),
            "developer",
            "the region is gone",
            Clock().at,
            "us-east-1",
            status="awaiting_approval",
        )
    )
    view = recovery(runs=runs)
    assert view.says == "the failover of database/main waits for people: the region is gone"
    assert view.tone == "warning"
    assert view.runs[0].kind == "failover"
    assert view.runs[0].evidence["to"] == "us-east-1"
    assert {"detect", "decide", "execute"} <= set(view.runs[0].evidence)


@pytest.mark.parametrize(
    ("before", "says", "tone"),
    [
        (Pace().within, "is under way", "warning"),
        (Pace().within + SELDOM + 1, "is moved by nobody, nothing of it was done for 70 minutes", "bad"),
    ],
)
def test_a_failover_that_runs_is_moved_by_somebody_for_as_long_as_that_can_be(
    before: float, says: str, tone: str
) -> None:
    runs, at = MemoryRuns(), Clock().at - before
    run = Run("production", "database/main", "database-in-region", 1, (), "lead", "why", at, "us-west-2")
    runs.create(run)
    view = recovery(runs=runs)
    assert (view.says, view.tone) == (f"the failover of database/main {says}: why", tone)
    assert (view.runs[0].says, view.runs[0].tone) == (f"{says}: why", tone)


def test_the_newest_failover_of_each_target_has_its_timeline_newest_first() -> None:
    runs = MemoryRuns()
    for epoch, target in ((1, "database/main"), (2, "database/main"), (1, "cache/sessions")):
        made = Run(
            "production",
            target,
            "database-in-region",
            epoch,
            (),
            "developer",
            "why",
            100.0 * epoch,
            "us-west-2",
        )
        runs.create(made)
        runs.append(made, FailoverEntry(1.0, "requested", "by hand", "developer"))
        runs.append(made, FailoverEntry(2.0, "step_done", "it is closed"))
    view = recovery(runs=runs)
    told = {run.id: [(each.word, each.by.name) for each in run.timeline] for run in view.runs}
    assert told == {
        "production.database.main.2": [("step done", "control-plane"), ("requested", "developer")],
        "production.cache.sessions.1": [("step done", "control-plane"), ("requested", "developer")],
        "production.database.main.1": [],
    }


def test_an_audit_says_what_passed_beside_what_is_to_be_done() -> None:
    drills = MemoryDrills()
    drills.store(audited("pass", "fail", "unknown"))
    (run,) = recovery(drills).runs
    assert [each["verdict"] for each in run.evidence["findings"]] == ["fail", "unknown"]
    assert [each["subject"] for each in run.evidence["passed"]] == ["database/0"]


# --- calendar


def test_production_never_sleeps_and_shows_its_freezes() -> None:
    early = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    view = see_calendar(looking=looking()._replace(now=lambda: early))
    assert view.says == "production never sleeps"
    assert [(day.state, day.says) for day in view.days] == [
        ("frozen", "year-end: half the team is away, and nobody is in a hurry")
    ]
    assert view.days[0].end - view.days[0].start == 10 * DAY
    assert see_calendar(looking=looking()).days == ()


def test_two_weeks_of_a_schedule_is_shown_without_a_gap() -> None:
    store = MemoryCapacityStore("staging")
    view = see_calendar(looking=looking("staging", capacity=store))
    assert view.zone == "America/Los_Angeles"
    stretches = [day for day in view.days if day.state in ("awake", "asleep")]
    assert {day.state for day in stretches} == {"awake", "asleep"}
    assert all(before.end == after.start for before, after in pairwise(stretches))
    assert stretches[-1].end - stretches[0].start == 14 * DAY


def test_a_freeze_that_a_person_asked_for_is_in_the_calendar_with_the_name() -> None:
    now = Clock().at
    freezes = MemoryFreezes("production")
    freezes.update(lambda r: add_freeze(r, AskedFreeze("website", "sale", "product-lead", now, now + 600)))
    view = see_calendar(looking=looking(freezes=freezes))
    assert ("frozen", "website, by product-lead: sale", "website") in [
        (day.state, day.says, day.service) for day in view.days
    ]


# --- costs


def test_without_a_bill_costs_are_unknown() -> None:
    view = see_cost(looking=looking(), bills=MemoryBillStore())
    assert (view.tone, view.spent, view.forecast) == ("unknown", None, None)


def bill(daily: float, *, fetched_ago: float = 3600.0) -> Bill:
    from datetime import UTC, date, datetime, timedelta

    today = datetime.fromtimestamp(Clock().at, UTC).date()
    first = today - timedelta(days=60)
    days = {(first + timedelta(days=n)).isoformat(): {"production": daily} for n in range(60)}
    return Bill(first.isoformat(), date.isoformat(today), days, {}, Clock().at - fetched_ago)


def kept(found: Bill) -> MemoryBillStore:
    store = MemoryBillStore()
    store.keep(found)
    return store


def test_a_forecast_inside_the_target_is_good_and_over_it_is_not() -> None:
    good = see_cost(looking=looking(), bills=kept(bill(30.0)))
    assert good.tone == "good" and good.says.endswith("inside 800 to 1,200")
    assert (good.environment, good.saved, good.hours_asleep) == ("production", None, 0.0)
    assert {each.spent for each in good.days} == {30.0} and {each.day[:7] for each in good.days} == {
        good.month
    }
    assert good.likely_low is not None and good.forecast is not None and good.likely_low <= good.forecast
    bad = see_cost(looking=looking(), bills=kept(bill(60.0)))
    assert bad.tone == "bad" and "over the 1,200 of the target" in bad.says


def test_a_bill_that_is_old_says_nothing_of_today() -> None:
    view = see_cost(looking=looking(), bills=kept(bill(30.0, fetched_ago=5 * DAY)))
    assert view.tone == "unknown" and view.says.endswith("the bill is of 5 days ago")


def test_without_a_target_costs_are_shown_and_not_judged() -> None:
    production = msgspec.structs.replace(catalog().environments["production"], cost=None)
    bare = msgspec.structs.replace(
        catalog(), environments={**catalog().environments, "production": production}
    )
    view = see_cost(looking=looking()._replace(catalog=bare), bills=kept(bill(30.0)))
    assert (view.tone, view.low, view.high) == ("info", None, None)
    assert isinstance(catalog().environments["production"].cost, Cost)


# --- audit


def test_the_audit_says_who_did_what_to_what_and_why_newest_first() -> None:
    watched = Watched().until("approve").ask()
    world = watched.world
    world.clock.forward(60)
    world.journal.append("r2", ReleaseEntry(world.clock(), "approved", "go on", by="platform-lead"))
    world.clock.forward(60)
    signals = MemorySignalHistory(
        [logged(world.clock() - 30, action="hold", reason="it fires"), logged(world.clock() - 20)]
    )
    store = MemoryCapacityStore("production")
    store.record = msgspec.structs.replace(
        store.record,
        overrides=(
            ScheduleOverride("keep_awake", world.clock() - 10, world.clock() + 99, "developer", "a test"),
        ),
    )
    page = see_audit(looking=watched.looking._replace(capacity=store), signals=signals, runs=MemoryRuns())
    assert [(line.by.name, line.word, line.subject) for line in page.lines] == [
        ("developer", "keep awake", "production"),
        ("signal slow", "held", "website"),
        ("platform-lead", "approved", "backend-api"),
        ("developer", "started", "backend-api"),
    ]


def test_the_audit_comes_in_pages_of_releases() -> None:
    watched = Watched()
    journal = watched.world.journal
    first = journal.releases["r2"]
    for n in range(25):
        at = first.started_at - 100 * (n + 1)
        journal.memory.open(msgspec.structs.replace(first, id=f"old-{n}", started_at=at))
        journal.memory.append(f"old-{n}", ReleaseEntry(at, "started", f"{n}", by="developer"))
    told, before = [], ""
    for _ in range(6):
        page = see_audit(before, looking=watched.looking, signals=MemorySignalHistory([]), runs=MemoryRuns())
        told += [line.release for line in page.lines]
        before = page.older
        if not before:
            break
    assert told == ["r2", *(f"old-{n}" for n in range(25))]


def test_a_storm_of_signals_that_did_nothing_hides_none_that_did_something_from_the_audit() -> None:
    watched = Watched()
    watched.world.clock.forward(3600)
    now = watched.world.clock()
    storm = [logged(now - 1 - n) for n in range(250)]
    signals = MemorySignalHistory([logged(now - 1800, action="hold", reason="it fires"), *storm])
    page = see_audit(looking=watched.looking, signals=signals, runs=MemoryRuns())
    assert [(line.by.name, line.word) for line in page.lines] == [
        ("signal slow", "held"),
        ("developer", "started"),
    ]


def test_the_audit_of_a_page_goes_back_as_far_as_its_releases_however_long_nobody_signalled() -> None:
    """A read of the log goes over so many days at most."""
    watched = Watched()
    first = watched.world.journal.releases["r2"]
    now = watched.world.clock()
    for n in range(1, 12):
        older = msgspec.structs.replace(first, id=f"old-{n}", started_at=now - 5 * DAY * n)
        watched.world.journal.memory.open(older)
    held = logged(now - 41 * DAY, action="hold", reason="it fires")

    class Days(MemorySignalHistory):
        def lines(self, limit: int, now: float, before: str = "") -> SignalsPortion:
            newest = int(before.partition("#")[0]) / 1e6 if before else now
            oldest = newest - 14 * DAY
            found = tuple(line for line in self.logged if oldest <= line.at < newest)
            return SignalsPortion(found, f"{round(oldest * 1e6):020d}#0")

    page = see_audit(looking=watched.looking, signals=Days([held]), runs=MemoryRuns())
    assert page.older
    assert [(line.by.name, line.word) for line in page.lines] == [
        ("developer", "started"),
        ("signal slow", "held"),
    ]


def test_what_the_audit_shows_has_words() -> None:
    assert set(WORDS) >= AUDITED


# --- me


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        (LEAD, "platform-lead may approve"),
        (DEVELOPER, "developer may release, pause and roll back"),
        (
            msgspec.structs.replace(DEVELOPER, roles=("reader", "operator", "approver")),
            "developer may release, pause and roll back; the catalog says no approver",
        ),
        (
            VISITOR,
            "oidc:visitor may look; the catalog knows nobody by this credential (people.yaml), so nothing can be done with it",
        ),
        (
            Reader("x"),
            "x may do nothing here; the catalog knows nobody by this credential (people.yaml), so nothing can be done with it",
        ),
    ],
)
def test_who_one_is(reader: Reader, says: str) -> None:
    assert see_me(reader, looking=looking()).says == says
