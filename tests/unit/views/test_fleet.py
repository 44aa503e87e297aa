"""Everything at a glance: a line for each service, what needs a person first."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.errors import NotOnboarded, Unavailable, UnknownService
from candlefish.failover.model import FailoverStep, Run
from candlefish.service.model import SLOTS, RecordMark, Remnant
from candlefish.service.record import (
    AllRecords,
    ServiceRecord,
    UnreadableRecord,
    begin_retiring,
    clear_remnant,
    end_rollback,
    quarantine,
    vacate_slot,
)
from candlefish.traffic.shares import group_name, rule_name
from candlefish.views.fleet_view import beside_each_other, silent_column
from candlefish.views.model import FleetView, ServiceCell
from candlefish.views.ports import Looking
from candlefish.views.see_fleet import see_fleet
from candlefish.views.see_releases import see_releases
from candlefish.views.see_service import see_service
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.failover.runs import MemoryRuns
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemorySwitchboard
from lab.memory.views import MemoryHistory
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.release import FakeJournal
from tests.support.seen_release import DEVELOPER, HEALTHY, LEAD, Watched
from tests.support.service import V1, V2, V3, fresh, released, rollback, take
from tests.support.traffic import FakeRules


def cell(view: FleetView, service: str = "backend-api") -> ServiceCell:
    return next(each for each in view.cells if each.service == service)


def seen(
    *records: object, clock: Clock | None = None, environment: str = "production", **more: object
) -> FleetView:
    """A fleet of records alone, of which no timeline is kept."""
    looking = Looking(
        environment,
        catalog(),
        MemoryRecords(*records),  # type: ignore[arg-type]
        MemoryHistory(FakeJournal().memory),
        clock or Clock(),
        **more,  # type: ignore[arg-type]
    )
    return see_fleet(LEAD, looking=looking)


def test_a_service_at_rest_says_what_is_live() -> None:
    view = seen(released(fresh(), "r1", V1, window=0))
    assert (cell(view).says, cell(view).tone) == ("all traffic on v1", "good")
    assert view.says == "all is at rest"
    assert (view.here, view.needs) == ("production", ())


def test_every_service_of_the_catalog_has_a_cell_and_knows_its_owner() -> None:
    view = seen(released(fresh(), "r1", V1, window=0))
    assert {each.service for each in view.cells} == set(catalog().services)
    assert cell(view, "website").says == "not onboarded"
    assert cell(view, "website").owner == catalog().services["website"].owner


def test_a_release_under_way_shows_weight_step_and_sentence() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    view = see_fleet(LEAD, looking=watched.looking)
    line = cell(view)
    assert (line.weight, line.step, line.steps, line.release, line.status) == (10, 4, 9, "r2", "running")
    assert (
        line.says
        == "v1 -> v2: 10%, no sign of harm: 0 of 400 requests failed, 0.22% on v1 in the same minutes"
    )
    assert line.left is not None and line.left.what == "judge"
    assert line.last is not None and line.last.word == "judged"
    assert view.says == "1 release is under way"


def test_what_waits_for_an_answer_is_listed_with_its_question_and_buttons() -> None:
    watched = Watched().until("approve").ask()
    view = see_fleet(LEAD, looking=watched.looking)
    (need,) = view.needs
    assert need.says.startswith(
        "backend-api v2 waits for an answer by platform-lead or product-lead: shall v2"
    )
    assert need.question is not None and need.question.id in need.command
    assert {"approve", "deny"} <= {action.name for action in need.actions if action.may}
    assert cell(view).needs_person
    assert view.says == "1 thing needs a person; 1 release is under way"


def ended(record: ServiceRecord, now: float, *, vacated: bool = True) -> ServiceRecord:
    """After a rollback, whose slot's Pods are gone, or could not be taken."""
    assert record.rollback
    if vacated:
        record = vacate_slot(record, generation=record.generation, slot=record.rollback.slot, now=now)
    return end_rollback(record, generation=record.generation, now=now)


def test_pods_that_a_rollback_left_need_a_person_until_they_are_gone() -> None:
    clock = Clock()
    record = take(released(fresh(), "r1", V1, window=0), "r2", V2, now=clock.at - 900)
    record = rollback(record, now=clock.at - 600, disposition="rejected")
    assert seen(record, clock=clock).needs == (), "its rollback is under way"
    record = ended(record, clock.at - 500, vacated=False)
    slot = next(name for name, each in record.slots.items() if each.retiring)
    view = seen(record, clock=clock)
    assert [(need.at, need.tone, need.says) for need in view.needs] == [
        (
            clock.at - 500,
            "warning",
            f"backend-api was rolled back, and slot {slot} keeps its Pods, without traffic: the reconciler goes on trying; "
            f"look at what hinders backend-api-{slot}",
        )
    ]
    assert (cell(view).tone, cell(view).needs_person) == ("warning", True)
    assert cell(view).says == f"all traffic on v1; Pods of v2 are left in slot {slot}"
    record = vacate_slot(record, generation=record.generation, slot=slot, now=clock.at)
    assert seen(record, clock=clock).needs == ()


@pytest.mark.parametrize(
    ("kind", "slot", "says"),
    [
        ("traffic_left", "blue", "users are still on v2, which was rolled back"),
        ("not_restored", "green", "v1, which the rollback brings back, does not run"),
    ],
)
def test_what_a_rollback_could_not_do_needs_a_person_until_it_was_seen_done(
    kind: str, slot: str, says: str
) -> None:
    clock = Clock()
    record = take(released(fresh(), "r1", V1, window=0), "r2", V2, now=clock.at - 900)
    record = rollback(record, now=clock.at - 600)
    remnant = Remnant(kind, slot, "0 of 5 Pods are ready", clock.at - 550)  # type: ignore[arg-type]
    under_way = msgspec.structs.replace(record, remnant=remnant)
    assert [(need.at, need.tone) for need in seen(under_way, clock=clock).needs] == [(clock.at - 550, "bad")]
    record = msgspec.structs.replace(ended(record, clock.at - 500), remnant=remnant)
    clock.forward(3 * 86400)
    view = seen(record, clock=clock)
    assert [(need.says, need.command) for need in view.needs] == [
        (f"backend-api: {says}: 0 of 5 Pods are ready", "candlefish status backend-api -e production")
    ]
    line = cell(view)
    assert (line.says, line.tone, line.needs_person, view.tone) == (says, "bad", True, "bad")
    assert seen(clear_remnant(record, seen=remnant), clock=clock).needs == ()


def test_a_slot_that_is_retired_after_a_promotion_needs_nobody() -> None:
    record = released(released(fresh(), "r1", V1, window=0), "r2", V2, now=5.0, window=0)
    old = next(slot for slot in SLOTS if slot != record.stable)
    record, why = begin_retiring(record, generation=record.generation, slot=old, now=99.0)
    assert (why, record.slots[old].retiring, record.slots[old].running) == ("", True, True)
    assert seen(record).needs == ()


def test_a_rollback_that_ended_needs_a_person_for_a_day() -> None:
    clock = Clock()
    record = take(released(fresh(), "r1", V1, window=0), "r2", V2, now=clock.at - 900)
    record = rollback(
        record, now=clock.at - 600, reason="21% failed; evidence 9 to 1 that it is worse, 200 decides"
    )
    record = ended(record, clock.at - 500)
    view = seen(record, clock=clock)
    assert cell(view).says == "v2 was rolled back 10 minutes ago: 21% failed; all traffic on v1"
    assert (cell(view).tone, view.tone) == ("bad", "bad")
    assert [need.says for need in view.needs] == [
        "backend-api v2 was rolled back: 21% failed; find out why, and release a mended version"
    ]
    clock.forward(86400)
    assert seen(record, clock=clock).needs == ()


def test_a_release_after_a_rollback_is_what_the_person_did_about_it() -> None:
    clock = Clock()
    record = take(released(fresh(), "r1", V1, window=0), "r2", V2, now=clock.at - 900)
    record = rollback(record, now=clock.at - 600)
    record = ended(record, clock.at - 500)
    record = released(
        record,
        "r3",
        msgspec.structs.replace(V2, image=V1.image.replace("1", "3")),
        now=clock.at - 100,
        window=0,
    )
    assert seen(record, clock=clock).needs == ()


def test_a_quarantine_needs_a_person_and_is_no_rest() -> None:
    record = quarantine(
        released(fresh(), "r1", V1, window=0), newer=RecordMark(99, 9), where="the rule", now=5.0
    )
    view = seen(record)
    assert cell(view).tone == "bad"
    assert view.needs[0].command == "candlefish records verify backend-api -e production"


def test_a_record_that_cannot_be_read_is_unknown_and_the_others_are_shown() -> None:
    class Half(MemoryRecords):
        def all(self) -> AllRecords:
            return AllRecords(
                super().all().readable, (UnreadableRecord("website", "it is newer than this code"),)
            )

    looking = Looking(
        "production",
        catalog(),
        Half(released(fresh(), "r1", V1, window=0)),
        MemoryHistory(FakeJournal().memory),
        Clock(),
    )
    view = see_fleet(LEAD, looking=looking)
    assert (cell(view, "website").tone, cell(view, "website").says) == (
        "unknown",
        "not known: its record could not be read",
    )
    assert cell(view).tone == "good"
    assert view.needs[0].says == "website: it is newer than this code"


def test_a_release_whose_timeline_is_gone_is_not_known_and_not_well() -> None:
    view = seen(take(released(fresh(), "r1", V1, window=0), "r2", V2))
    assert (cell(view).tone, cell(view).says) == ("unknown", "not known: release r2 could not be read")
    assert view.tone == "unknown"


def test_automation_that_is_off_is_said_of_the_environment() -> None:
    switchboard = MemorySwitchboard()
    switchboard.turn("off since noon by lead")
    view = seen(released(fresh(), "r1", V1, window=0), switchboard=switchboard)
    (column,) = view.environments
    assert "off since noon by lead" in column.automation_off
    assert (column.says, column.tone) == ("automation is off", "warning")


def test_an_environment_that_sleeps_says_when_it_wakes() -> None:
    store = MemoryCapacityStore("staging")
    store.record = msgspec.structs.replace(store.record, phase="asleep", goal="asleep")
    record = msgspec.structs.replace(
        released(fresh(environment="staging"), "r1", V1, window=0), environment="staging"
    )
    view = seen(record, environment="staging", capacity=store)
    assert cell(view).asleep
    assert cell(view).says == "asleep; v1 when it wakes"
    assert view.environments[0].asleep
    assert [left.what for left in view.environments[0].left] == ["sleep"]


def test_capacity_that_cannot_be_read_is_unknown() -> None:
    class Down(MemoryCapacityStore):
        def get(self):  # type: ignore[no-untyped-def]
            raise Unavailable("the table does not answer")

    record = released(fresh(environment="staging"), "r1", V1, window=0)
    view = seen(record, environment="staging", capacity=Down("staging"))
    assert view.tone == "unknown"
    assert "the table does not answer" in view.unknown[0]


def test_environments_stand_side_by_side_and_are_pressed_where_they_are() -> None:
    watched = Watched().until("approve").ask()
    here = seen(released(fresh(), "r1", V1, window=0))
    there = see_fleet(LEAD, looking=watched.looking)
    both = beside_each_other(
        here, [there], [silent_column("staging", catalog(), "it did not answer within 3 s")]
    )
    assert [column.environment for column in both.environments] == ["production", "production", "staging"]
    assert both.needs[0].actions == ()
    assert both.needs[0].question is not None
    assert both.environments[2].says == "not known: it did not answer within 3 s"
    assert (both.here, both.tone) == ("production", "warning")


def test_a_service_shows_its_release_and_what_can_be_done() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    view = see_service("backend-api", DEVELOPER, looking=watched.looking)
    assert view.release is not None and view.release.id == "r2"
    assert [line.id for line in view.releases] == ["r2"]
    assert {action.name for action in view.actions} == {"pause", "promote", "abort", "freeze"}
    assert view.slots == view.release.slots


def test_a_service_at_rest_shows_its_slots() -> None:
    looking = Watched().looking
    record = released(fresh(), "r1", V1, window=0)
    view = see_service("backend-api", LEAD, looking=looking._replace(records=MemoryRecords(record)))
    assert view.release is None
    assert view.unknown == ()
    assert [(slot.role, slot.wanted) for slot in view.slots] == [("stable", 100)]


def test_a_service_is_about_what_runs_or_else_about_its_newest_release() -> None:
    watched = Watched().promote()
    world = watched.world

    def listed(id: str, status: str, at: float) -> None:
        like = world.journal.releases["r2"]
        world.journal.memory.open(msgspec.structs.replace(like, id=id, status=status, started_at=at))

    def about() -> str | None:
        release = see_service("backend-api", LEAD, looking=watched.looking).release
        return release and release.id

    now = world.clock()
    listed("r3", "refused", now + 1)
    assert about() == "r2", "what a refused release was asked for does not hide the window of what is live"
    listed("r4", "rolled_back", now + 2)
    assert about() == "r4"
    listed("r5", "running", now + 3)
    assert about() == "r4", "r5 does not have the service yet"
    world.records.update("backend-api", lambda record: take(record, "r5", V3, now=now + 3))
    assert about() == "r5"


def test_a_service_whose_only_release_was_refused_is_about_that() -> None:
    watched = Watched()
    like = watched.world.journal.releases["r2"]
    watched.world.journal.releases["r2"] = msgspec.structs.replace(like, status="refused")
    looking = watched.looking._replace(records=MemoryRecords(fresh()))
    release = see_service("backend-api", LEAD, looking=looking).release
    assert release and (release.id, release.status) == ("r2", "refused")


def test_services_that_are_not_there_are_refused() -> None:
    looking = Watched().looking
    with pytest.raises(UnknownService):
        see_service("nobody", LEAD, looking=looking)
    with pytest.raises(UnknownService):
        see_releases("nobody", looking=looking)
    with pytest.raises(NotOnboarded):
        see_service("website", LEAD, looking=looking)


def test_a_list_of_releases_says_of_each_how_it_ended_and_invents_no_reason() -> None:
    watched = Watched().promote()
    world = watched.world
    for n, status in enumerate(("rolled_back", "refused")):
        old = msgspec.structs.replace(
            world.journal.releases["r2"], id=f"old-{n}", status=status, started_at=n + 1.0
        )
        world.journal.memory.open(old)
    page = see_releases("backend-api", looking=watched.looking)
    assert [(line.id, line.says) for line in page.releases] == [
        ("r2", "is live for all users; it is watched for 60 min more, and v1 is kept ready to go back to"),
        ("old-1", "refused"),
        ("old-0", "rolled back"),
    ]


def test_the_catalog_of_another_company_makes_a_fleet_too() -> None:
    from tests.support.catalogs import ACME

    acme = load(ACME)
    looking = Looking("prod", acme, MemoryRecords(), MemoryHistory(FakeJournal().memory), Clock())
    view = see_fleet(LEAD, looking=looking)
    assert {each.says for each in view.cells} == {"not onboarded"}


def test_a_failover_that_waits_for_people_is_among_what_needs_a_person() -> None:
    runs, step = MemoryRuns(), FailoverStep("promote", "main")
    run = Run(
        "production",
        "database/main",
        "database-cross-region",
        1,
        (step,),
        "developer",
        "the region is gone",
        5.0,
        "us-east-1",
        status="awaiting_approval",
        needs=("go",),
    )
    runs.create(run)
    view = seen(released(fresh(), "r1", V1, window=0), runs=runs)
    assert [need.says for need in view.needs] == [
        "the failover of database/main to us-east-1 waits for an answer (go): the region is gone"
    ]
    assert view.tone == "warning"


def test_a_service_that_is_updated_in_place_shows_what_comes_and_what_it_takes_to_go_back() -> None:
    watched = Watched(environment="development")
    view = watched.view(LEAD)
    assert [(slot.role, slot.version.label, slot.wanted) for slot in view.slots if slot.version] == [
        ("candidate", "v2", 100)
    ]
    assert [step.title for step in view.steps] == ["deploy", "bake"]
    abort = next(action for action in view.actions if action.name == "abort")
    assert abort.does == "v1 is put back in place, Pod by Pod; v2 may be released again"
    assert (view.old and view.old.label, view.new.label) == ("v1", "v2")


@pytest.mark.parametrize("kind", ["worker", "cluster"])
def test_shares_of_pods_have_weights_that_are_wanted_and_real_like_a_load_balancers(kind: str) -> None:
    watched = Watched().until("judge")
    record = watched.world.record
    names = {slot: group_name(kind, "shop", "backend-api", "production", slot) for slot in SLOTS}
    moved = msgspec.structs.replace(
        record,
        rule=rule_name(kind, "shop", "backend-api"),
        slots={slot: msgspec.structs.replace(record.slots[slot], target_group=names[slot]) for slot in SLOTS},
    )
    watched.world.records.stored["backend-api"] = moved
    watched.world.rules = FakeRules(moved)
    assert [(slot.wanted, slot.real) for slot in watched.view().slots] == [(90, 90), (10, 10)]
