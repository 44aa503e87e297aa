"""Records, journal and approvals: the same cases against the fake and DynamoDB."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import pytest

from candlefish.adapters.table import keys
from candlefish.adapters.table.approvals import DynamoApprovals
from candlefish.adapters.table.items import put_if
from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.records import DynamoRecords
from candlefish.errors import InvalidInput, NotOnboarded, RecordContested, Unavailable, Unreadable
from candlefish.release.model import Approval, PlanStep, Release, ReleaseEntry, answer_question
from candlefish.release.ports import Approvals
from candlefish.service.model import Hold, Version
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, add_hold
from lab.memory.release import MemoryApprovals, MemoryJournalStore
from lab.memory.service import MemoryRecords
from tests.support.dying import Died, dying_after_one_write
from tests.support.release import FakeJournal
from tests.support.service import fresh, image
from tests.support.table import TABLE


@pytest.fixture(params=["fake", "dynamodb"])
def records(request: pytest.FixtureRequest) -> ServiceRecords:
    if request.param == "fake":
        return MemoryRecords()
    return DynamoRecords(request.getfixturevalue("dynamodb"), TABLE, "production")


@pytest.fixture(params=["fake", "dynamodb"])
def journal(request: pytest.FixtureRequest) -> FakeJournal:
    """The journal over each store; what is published is what the journal's rules say."""
    if request.param == "fake":
        return FakeJournal(MemoryJournalStore())
    return FakeJournal(DynamoJournalStore(request.getfixturevalue("dynamodb"), TABLE, "production"))


@pytest.fixture(params=["fake", "dynamodb"])
def approvals(request: pytest.FixtureRequest) -> Approvals:
    if request.param == "fake":
        return MemoryApprovals()
    return DynamoApprovals(request.getfixturevalue("dynamodb"), TABLE)


def held(key: str) -> Any:
    return lambda record: add_hold(record, Hold(key, "why", 1.5, "test"))


def test_a_service_without_a_record_is_not_onboarded(records: ServiceRecords) -> None:
    with pytest.raises(NotOnboarded, match="backend-api"):
        records.get("backend-api")


def test_a_record_comes_back_as_it_was_stored(records: ServiceRecords) -> None:
    record = fresh()
    assert records.create(record) == record
    assert records.get("backend-api") == record


def test_creating_again_keeps_what_is_there(records: ServiceRecords) -> None:
    records.create(fresh())
    changed = records.update("backend-api", held("a"))
    assert records.create(fresh()) == changed


def test_a_change_raises_the_revision_and_no_change_does_not(records: ServiceRecords) -> None:
    records.create(fresh())
    assert records.update("backend-api", held("a")).revision == 1
    assert records.update("backend-api", held("a")).revision == 1
    assert records.get("backend-api").holds[0].since == 1.5


def test_a_change_that_raises_stores_nothing(records: ServiceRecords) -> None:
    records.create(fresh())

    def refuse(record: ServiceRecord) -> ServiceRecord:
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        records.update("backend-api", refuse)
    assert records.get("backend-api").revision == 0


def test_a_change_is_made_again_on_what_somebody_else_stored(records: ServiceRecords) -> None:
    records.create(fresh())
    meddled = []

    def change(record: ServiceRecord) -> ServiceRecord:
        if not meddled:
            meddled.append(True)
            records.update("backend-api", held("theirs"))
        return add_hold(record, Hold("ours", "why", 0.0, "test"))

    after = records.update("backend-api", change)
    assert {h.key for h in after.holds} == {"theirs", "ours"}


def test_a_change_may_answer_and_the_answer_belongs_to_what_was_stored(records: ServiceRecords) -> None:
    records.create(fresh())
    meddled = []

    def change(record: ServiceRecord) -> tuple[ServiceRecord, list[str]]:
        if not meddled:
            meddled.append(True)
            records.update("backend-api", held("theirs"))
        return add_hold(record, Hold("ours", "why", 0.0, "test")), [h.key for h in record.holds]

    stored, before = records.update("backend-api", change)
    assert (before, stored) == (["theirs"], records.get("backend-api"))
    assert records.update("backend-api", lambda r: (r, "as it was")) == (stored, "as it was")


def test_a_record_that_never_holds_still_is_contested(records: ServiceRecords) -> None:
    records.create(fresh())
    turn = iter(range(1000))

    def change(record: ServiceRecord) -> ServiceRecord:
        records.update("backend-api", held(f"theirs-{next(turn)}"))
        return add_hold(record, Hold("ours", "why", 0.0, "test"))

    with pytest.raises(RecordContested):
        records.update("backend-api", change)


def test_all_lists_every_record(records: ServiceRecords) -> None:
    for name in ("website", "backend-api"):
        records.create(fresh(name))
    assert [record.service for record in records.all()] == ["backend-api", "website"]


def make_unreadable(records: ServiceRecords, service: str, request: pytest.FixtureRequest) -> None:
    """What a hand or newer code may have left in a record's place."""
    if isinstance(records, MemoryRecords):
        records.unreadable[service] = f"the record of {service} cannot be read: candlefish records verify"
    else:
        key = keys.RECORD.key(environment="production", service=service)
        item = {**key, "revision": {"N": "3"}, "body": {"S": '{"environment": 5}'}}
        request.getfixturevalue("dynamodb").put_item(TableName=TABLE, Item=item)


def test_a_record_that_cannot_be_read_harms_no_other(
    records: ServiceRecords, request: pytest.FixtureRequest
) -> None:
    for name in ("website", "backend-api"):
        records.create(fresh(name))
    make_unreadable(records, "website", request)
    known = records.all()
    assert [record.service for record in known] == ["backend-api"]
    (lost,) = known.unreadable
    assert lost.service == "website"
    assert "candlefish records verify" in lost.why
    with pytest.raises(Unreadable, match="website"):
        records.get("website")
    with pytest.raises(Unreadable, match="website"):
        records.update("website", held("a"))
    assert records.update("backend-api", held("a")).revision == 1


def test_a_record_that_is_read_is_ones_own(records: ServiceRecords) -> None:
    given = fresh()
    records.create(given)
    for mine in (
        given,
        records.get("backend-api"),
        records.all().readable[0],
        records.create(fresh()),
    ):
        mine.desired["blue"] = 77
    changed = records.update("backend-api", held("a"))
    changed.desired["blue"] = 78
    assert records.get("backend-api").desired == fresh().desired


def test_writers_at_the_same_time_lose_nothing(dynamodb: Any, whole_writes: None) -> None:
    records = DynamoRecords(dynamodb, TABLE, "production")
    records.create(fresh())
    failures: list[str] = []

    def write(name: str) -> None:
        try:
            records.update("backend-api", held(name))
        except RecordContested:
            failures.append(name)

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = {h.key for h in records.get("backend-api").holds}
    assert kept == {f"w{n}" for n in range(6)} - set(failures)


def test_of_many_that_put_at_once_one_wins(dynamodb: Any, whole_writes: None) -> None:
    patience = sys.getswitchinterval()
    # Threads take turns as often as can be.
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for round_ in range(20):
                item = {"pk": {"S": f"race-{round_}"}, "sk": {"S": "one"}}
                put = partial(put_if, dynamodb, TABLE, item, seen=None, what="a race")
                won = [each.result() for each in [pool.submit(put) for _ in range(8)]]
                assert won.count(True) == 1
    finally:
        sys.setswitchinterval(patience)


def release(name: str = "r1", at: float = 10.0) -> Release:
    return Release(name, "production", "backend-api", Version(image(1)), "developer", "why", at)


def test_a_release_is_opened_once(journal: FakeJournal) -> None:
    journal.open(release())
    assert journal.store.open(msgspec.structs.replace(release(), reason="another")) is False
    assert journal.read("r1").reason == "why"


def test_a_plan_is_written_in_place_of_the_one_that_was_seen(journal: FakeJournal) -> None:
    journal.open(release())
    journal.append("r1", ReleaseEntry(1.0, "held", "because"))
    seen, plan = journal.read("r1"), (PlanStep(kind="experiment", within=600.0), PlanStep(kind="judge"))
    journal.replan(seen, plan)
    assert journal.read("r1") == msgspec.structs.replace(seen, plan=plan)
    with pytest.raises(RecordContested, match="the plan of release r1"):
        journal.replan(seen, (PlanStep(kind="bake"),))
    assert journal.read("r1").plan == plan


def test_of_two_plans_at_once_one_is_written(
    journal: FakeJournal, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    journal.open(release())
    seen, theirs = journal.read("r1"), (PlanStep(kind="experiment"),)
    real = journal.store
    if isinstance(real, MemoryJournalStore):
        real.between = lambda: real.releases.update({"r1": msgspec.structs.replace(seen, plan=theirs)})
    else:
        client = request.getfixturevalue("dynamodb")
        update = client.update_item

        def late(**arguments: Any) -> Any:
            monkeypatch.undo()
            real.replan(seen, theirs)
            return update(**arguments)

        monkeypatch.setattr(client, "update_item", late)
    with pytest.raises(RecordContested):
        journal.replan(seen, (PlanStep(kind="bake"),))
    assert journal.read("r1").plan == theirs


def test_a_release_nobody_opened_is_named(journal: FakeJournal) -> None:
    with pytest.raises(InvalidInput, match="r9"):
        journal.read("r9")


def test_entries_stay_in_order_and_the_status_follows(journal: FakeJournal) -> None:
    journal.open(release())
    for at, kind in ((1.0, "started"), (2.5, "deployed"), (2.75, "promoted")):
        journal.append("r1", ReleaseEntry(at, kind, "because", evidence={"n": 1, "share": 0.25}))
    assert [entry.kind for entry in journal.entries("r1")] == ["started", "deployed", "promoted"]
    assert journal.entries("r1")[0].evidence == {"n": 1, "share": 0.25}
    assert journal.read("r1").status == "promoted"
    assert journal.published == [("r1", "started"), ("r1", "promoted")]


def test_what_is_written_late_brings_no_release_back(journal: FakeJournal) -> None:
    """Found by the simulator: an answer to the question of a release that was over let it run for ever."""
    journal.open(release())
    late = ("started", "promoted", "rolling_back", "promoted", "rolled_back", "rolling_back", "approved")
    seen = []
    for at, kind in enumerate(late):
        journal.append("r1", ReleaseEntry(float(at), kind, "because"))
        seen.append(journal.read("r1").status)
    assert seen == ["running", "promoted", "rolling_back", "rolling_back", *["rolled_back"] * 3]
    assert [entry.kind for entry in journal.entries("r1")] == list(late)


def test_a_release_keeps_why_it_was_taken_back_or_refused(journal: FakeJournal) -> None:
    """For lists, which read no timelines; what is written later of its end takes nothing from it."""
    for id in ("r1", "r2", "r3"):
        journal.open(msgspec.structs.replace(release(), id=id))
    journal.append("r1", ReleaseEntry(1.0, "rolling_back", "the prices are wrong", by="developer"))
    journal.append("r1", ReleaseEntry(2.0, "rolled_back", "all traffic is on v1"))
    journal.append("r1", ReleaseEntry(3.0, "rolling_back", "once more", by="alarm"))
    journal.append("r2", ReleaseEntry(1.0, "refused", "it has no scan"))
    journal.append("r3", ReleaseEntry(1.0, "promoted", "all is well"))
    found = [(each.why, each.why_by) for each in map(journal.read, ("r1", "r2", "r3"))]
    assert found == [("the prices are wrong", "developer"), ("it has no scan", "control-plane"), ("", "")]


def test_who_writes_a_status_is_told_whether_it_was_another_one(journal: FakeJournal) -> None:
    """So that an end is counted by the one write that made it."""
    store = journal.store
    assert store.set_status("r1", "promoted", over={"running"}) is False, "nobody opened it"
    journal.open(release())
    assert store.set_status("r1", "promoted", over={"running", "held"}) is True
    assert store.set_status("r1", "promoted", over={"running", "held"}) is False
    assert store.set_status("r1", "rolled_back", over=frozenset()) is False
    assert store.read("r1").status == "promoted"


def test_who_finds_an_entry_knows_that_people_were_told(
    journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.open(release())
    with monkeypatch.context() as patch, pytest.raises(Unavailable):
        patch.setattr(journal.store, "read", unavailable)
        journal.append("r1", ReleaseEntry(1.0, "refused", "because"))
    assert journal.entries("r1") == []
    journal.append("r1", ReleaseEntry(1.0, "refused", "because"))
    assert journal.published == [("r1", "refused")]


def unavailable(release: str) -> Release:
    raise Unavailable("the table did not answer")


def test_an_entry_of_a_release_nobody_opened_is_kept_and_tells_nobody(
    journal: FakeJournal,
) -> None:
    """A rollback of a version that was onboarded, or whose release is long forgotten, must not fail over this."""
    journal.append("long-ago", ReleaseEntry(1.0, "rolling_back", "errors"))
    assert [entry.kind for entry in journal.entries("long-ago")] == ["rolling_back"]
    assert journal.published == []
    with pytest.raises(InvalidInput):
        journal.read("long-ago")


def test_recent_releases_are_the_newest_first(journal: FakeJournal) -> None:
    for n in range(5):
        journal.open(release(f"r{n}", at=float(n)))
    assert [r.id for r in journal.recent("backend-api", limit=3)] == ["r4", "r3", "r2"]
    assert journal.recent("website") == []


def test_a_release_that_was_stored_and_not_listed_is_listed_when_it_is_opened_again(
    journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its function died between the two, and Step Functions tries it again."""
    with pytest.raises(Died), dying_after_one_write(journal.store, monkeypatch):
        journal.open(release())
    assert journal.recent("backend-api") == []
    for _ in range(2):
        journal.open(release(at=12.0))
        assert journal.recent("backend-api") == [release()]


def test_recent_releases_that_began_together_have_an_order(journal: FakeJournal) -> None:
    for name in ("b", "c", "a"):
        journal.open(release(name))
    assert [r.id for r in journal.recent("backend-api")] == ["c", "b", "a"]


def test_evidence_is_what_json_makes_of_it_and_ones_own(journal: FakeJournal) -> None:
    evidence = {"weights": (10, 90), "slots": {"blue": 1}}
    journal.append("r1", ReleaseEntry(1.0, "shifted", "because", evidence=evidence))
    evidence["slots"]["blue"] = 2
    journal.entries("r1")[0].evidence["weights"].append(0)
    assert journal.entries("r1")[0].evidence == {"weights": [10, 90], "slots": {"blue": 1}}
    with pytest.raises(TypeError):
        journal.append("r1", ReleaseEntry(2.0, "shifted", "because", evidence={"what": object()}))
    assert len(journal.entries("r1")) == 1


def question(id: str = "q1") -> Approval:
    return Approval("r1", "production", "backend-api", "", "developer", True, 100.0, question=id)


def test_the_token_of_the_task_is_no_part_of_the_question(approvals: Approvals) -> None:
    for id, token in (("q1", "t1"), ("q2", "t2")):
        approvals.ask(msgspec.structs.replace(question(id), token=token))
    assert approvals.read("r1") == question("q2")
    # An answer to an earlier question never reaches the task that waits now.
    assert [approvals.token(question(id)) for id in ("q1", "q2")] == ["t1", "t2"]
    with pytest.raises(InvalidInput, match="r1"):
        approvals.token(question("q3"))


def test_a_question_is_answered_once(approvals: Approvals) -> None:
    approvals.ask(question())
    yes = answer_question(question(), "approved", "alice")
    assert approvals.answer(question(), yes)
    assert not approvals.answer(question(), answer_question(question(), "denied", "bob"))
    assert approvals.read("r1") == yes


def test_a_newer_question_takes_the_place_of_an_older_one(approvals: Approvals) -> None:
    approvals.ask(question())
    approvals.ask(question("q2"))
    assert not approvals.answer(question(), answer_question(question(), "approved", "alice"))
    assert approvals.read("r1") == question("q2")


def test_a_question_that_is_asked_again_keeps_its_answers(approvals: Approvals) -> None:
    """The function that asked may have died after it did; only the task that waits is another one."""
    assert approvals.ask(msgspec.structs.replace(question(), token="t1"))
    no = answer_question(question(), "denied", "alice")
    assert approvals.answer(question(), no)
    assert not approvals.ask(msgspec.structs.replace(question(), token="t2"))
    assert approvals.read("r1") == no
    assert approvals.token(question()) == "t2"


def test_of_two_answers_to_what_both_saw_one_is_stored(approvals: Approvals) -> None:
    asked = msgspec.structs.replace(question(), needed=2)
    approvals.ask(asked)
    first = answer_question(asked, "approved", "alice")
    assert approvals.answer(asked, first)
    assert not approvals.answer(asked, answer_question(asked, "approved", "bob"))
    assert approvals.answer(first, answer_question(first, "approved", "bob"))
    settled = approvals.read("r1")
    assert (settled.status, settled.approvers) == ("approved", ("alice", "bob"))


def test_a_release_that_asked_nothing_says_so(approvals: Approvals) -> None:
    with pytest.raises(InvalidInput, match="r1"):
        approvals.read("r1")
