"""What the table keeps beside records and journals: the same cases in memory and on DynamoDB."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.adapters.table import keys
from candlefish.adapters.table.bills import DynamoBills
from candlefish.adapters.table.calibrations import DynamoCalibrations
from candlefish.adapters.table.drills import DynamoDrills
from candlefish.adapters.table.failovers import DynamoStableVersions
from candlefish.adapters.table.judgements import DynamoJudgements
from candlefish.adapters.table.nonces import DynamoNonces
from candlefish.adapters.table.requesters import DynamoRequesters
from candlefish.adapters.table.shown import DynamoChannelPace, DynamoShownMessages
from candlefish.adapters.table.signals import SENDING, DynamoLedger
from candlefish.analysis.calibration import Calibration
from candlefish.analysis.ports import Calibrations
from candlefish.backups.model import AuditFinding, AuditReport, Snapshot
from candlefish.backups.ports import AuditReports, Drills
from candlefish.backups.record import Drill
from candlefish.cost.ports import BillStore
from candlefish.errors import InvalidInput, RecordContested
from candlefish.messages.ports import ChannelPace, ShownMessages
from candlefish.messages.record import Post, Shown, keep_post
from candlefish.ports import Requesters
from candlefish.release.model import Judgement
from candlefish.release.ports import Judgements, Nonces
from candlefish.requester import Asked, Requester
from candlefish.service.model import Version
from candlefish.service.ports import StableVersions
from candlefish.signals.ports import NotificationLedger
from lab.memory.analysis import MemoryCalibrations
from lab.memory.backups import MemoryDrills
from lab.memory.cost import MemoryBillStore
from lab.memory.messages import MemoryChannelPace, MemoryShownMessages
from lab.memory.release import MemoryJudgements, MemoryNonces
from lab.memory.requesters import MemoryRequesters
from lab.memory.service import MemoryStableVersions
from lab.memory.signals import MemoryLedger
from tests.support.bills import bill, moment
from tests.support.clock import Clock
from tests.support.service import image
from tests.support.table import TABLE

# --- nonces ---------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def nonces(request: pytest.FixtureRequest) -> Nonces:
    if request.param == "fake":
        return MemoryNonces()
    return DynamoNonces(request.getfixturevalue("dynamodb"), TABLE)


def test_a_nonce_is_new_once(nonces: Nonces) -> None:
    assert nonces.first("a", 100.0)
    assert not nonces.first("a", 200.0)
    assert nonces.first("b", 100.0)


def test_who_used_a_nonce_first_may_come_again(nonces: Nonces) -> None:
    assert nonces.first("a", 100.0, holder="me")
    assert nonces.first("a", 100.0, holder="me")
    assert not nonces.first("a", 100.0, holder="you")
    assert not nonces.first("a", 100.0)
    assert nonces.first("b", 100.0)
    assert not nonces.first("b", 100.0)
    assert not nonces.first("b", 100.0, holder="me")


# --- requesters -----------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def requesters(request: pytest.FixtureRequest) -> Requesters:
    if request.param == "fake":
        return MemoryRequesters()
    return DynamoRequesters(request.getfixturevalue("dynamodb"), TABLE)


def test_who_asked_is_written_down_once_for_each_execution(requesters: Requesters) -> None:
    lead = Asked(Requester("lead", {"principal": "arn:aws:iam::333333333333:user/lead"}), "d1", 1.5)
    assert requesters.find("release", "r1") is None
    assert requesters.keep("release", "r1", lead) == lead
    assert requesters.keep("release", "r1", Asked(Requester("mallory"), "d2", 2.0)) == lead
    assert requesters.find("release", "r1") == lead
    assert requesters.find("train", "r1") is None


# --- stable versions ------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def stable(request: pytest.FixtureRequest) -> StableVersions:
    if request.param == "fake":
        return MemoryStableVersions()
    return DynamoStableVersions(request.getfixturevalue("dynamodb"), TABLE, "production")


def test_stable_versions_remember_the_newest_promotion(stable: StableVersions) -> None:
    assert stable.read("api") is None
    stable.write("api", Version(image(2), "2.0"), 20.0)
    stable.write("api", Version(image(1), "1.0"), 10.0)
    assert stable.read("api") == Version(image(2), "2.0")
    stable.write("api", Version(image(3), "3.0"), 20.0)
    assert stable.read("api") == Version(image(3), "3.0")
    assert stable.read("website") is None


# --- the ledger of messages -----------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["fake", "dynamodb"])
def ledger(request: pytest.FixtureRequest, clock: Clock) -> NotificationLedger:
    if request.param == "fake":
        return MemoryLedger(clock)
    return DynamoLedger(request.getfixturevalue("dynamodb"), TABLE, clock)


def test_one_of_several_tells_of_a_thing_on_a_channel(ledger: NotificationLedger) -> None:
    assert ledger.claim("e1", "slack")
    assert not ledger.claim("e1", "slack")
    ledger.mark("e1", "slack")
    assert not ledger.claim("e1", "slack")
    assert ledger.claim("e1", "sns") and ledger.claim("e2", "slack")


def test_what_could_not_be_sent_may_be_sent_by_the_next_one(ledger: NotificationLedger, clock: Clock) -> None:
    assert ledger.claim("e1", "slack")
    ledger.release("e1", "slack")
    assert ledger.claim("e1", "slack")
    # Who claimed it died with it.
    clock.forward(SENDING - 1)
    assert not ledger.claim("e1", "slack")
    clock.forward(1)
    assert ledger.claim("e1", "slack")


def test_what_lasts_is_told_again_after_a_while(ledger: NotificationLedger, clock: Clock) -> None:
    assert ledger.claim("e1", "slack", again=3600)
    ledger.mark("e1", "slack")
    clock.forward(3599)
    assert not ledger.claim("e1", "slack", again=3600)
    clock.forward(1)
    assert not ledger.claim("e1", "slack")
    assert ledger.claim("e1", "slack", again=3600)
    # While one sends it again, nobody else does.
    assert not ledger.claim("e1", "slack", again=3600)


# --- what stands in the chat ----------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def shown(request: pytest.FixtureRequest) -> ShownMessages:
    if request.param == "fake":
        return MemoryShownMessages()
    return DynamoShownMessages(request.getfixturevalue("dynamodb"), TABLE)


def test_what_stands_is_kept_if_nobody_else_wrote(shown: ShownMessages) -> None:
    nothing = shown.read("api-1")
    assert nothing == Shown("api-1")
    kept = shown.write(keep_post(nothing, "main", Post("platform", "1796000001.000001", "d1"), ("seen",)))
    assert shown.read("api-1") == kept and kept.revision == 1
    with pytest.raises(RecordContested):
        shown.write(nothing)
    assert shown.write(kept).revision == 2
    assert shown.read("another").posts == {}


def test_what_cannot_be_read_is_shown_anew(dynamodb: Any) -> None:
    store = DynamoShownMessages(dynamodb, TABLE)
    store.write(store.read("api-1"))
    key = keys.SHOWN.key(subject="api-1")
    dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET body = :no",
        ExpressionAttributeValues={":no": {"S": "{"}},
    )
    assert store.write(store.read("api-1")).revision == 2


@pytest.fixture(params=["fake", "dynamodb"])
def pace(request: pytest.FixtureRequest) -> ChannelPace:
    return (
        MemoryChannelPace()
        if request.param == "fake"
        else DynamoChannelPace(request.getfixturevalue("dynamodb"), TABLE)
    )


def test_a_channel_takes_one_message_a_second(pace: ChannelPace) -> None:
    assert pace.take("web", 100.0) == 0.0
    assert pace.take("web", 100.25) == pytest.approx(0.75)
    assert pace.take("data", 100.25) == 0.0
    assert pace.take("web", 101.0) == 0.0


def test_a_channel_that_asks_for_patience_gets_the_longest(pace: ChannelPace) -> None:
    pace.hold("web", 130.0)
    pace.hold("web", 110.0)
    assert pace.take("web", 120.0) == pytest.approx(10.0)
    assert pace.take("web", 130.0) == 0.0


# --- calibrations ---------------------------------------------------------------------------

KNOWN = {"errors": Calibration([0.0, -1.5, -6.9, -6.9], [-1.0, 0.0, -2.0, -3.0], 90, 1_790_000_000.0)}


@pytest.fixture(params=["fake", "dynamodb"])
def calibrations(request: pytest.FixtureRequest) -> Calibrations:
    if request.param == "fake":
        return MemoryCalibrations()
    return DynamoCalibrations(request.getfixturevalue("dynamodb"), TABLE, "production")


def test_what_is_learnt_is_kept_by_service_and_source(calibrations: Calibrations) -> None:
    assert calibrations.get("backend-api", "cloudwatch") == {}
    calibrations.put("backend-api", "cloudwatch", KNOWN)
    assert calibrations.get("backend-api", "cloudwatch") == KNOWN
    assert calibrations.get("backend-api", "prometheus") == {}
    assert calibrations.get("website", "cloudwatch") == {}


def test_what_was_learnt_is_kept_as_it_was(calibrations: Calibrations) -> None:
    learnt = dict(KNOWN)
    calibrations.put("backend-api", "cloudwatch", learnt)
    learnt.clear()
    calibrations.get("backend-api", "cloudwatch")["errors"].burst.append(9.0)
    assert calibrations.get("backend-api", "cloudwatch") == KNOWN


# --- what judges know ------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def judgements(request: pytest.FixtureRequest) -> Judgements:
    if request.param == "fake":
        return MemoryJudgements()
    return DynamoJudgements(request.getfixturevalue("dynamodb"), TABLE)


def test_what_a_judge_knows_is_kept_by_release(judgements: Judgements) -> None:
    assert judgements.read("r1") == Judgement()
    judgements.write("r1", Judgement({"cloudwatch": {"looks": 1}}, "0 continue"), 100.0)
    assert judgements.read("r1") == Judgement({"cloudwatch": {"looks": 1}}, "0 continue", 1)
    judgements.write("r1", msgspec.structs.replace(judgements.read("r1"), written="0 promote"), 160.0)
    assert (judgements.read("r1").written, judgements.read("r1").revision) == ("0 promote", 2)
    assert judgements.read("r2") == Judgement()


def test_of_two_looks_that_saw_the_same_one_writes(judgements: Judgements) -> None:
    judgements.write("r1", Judgement(written="first"), 100.0)
    with pytest.raises(RecordContested):
        judgements.write("r1", Judgement(written="second"), 100.0)
    assert judgements.read("r1").written == "first"


# --- bills ----------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def bills(request: pytest.FixtureRequest) -> BillStore:
    if request.param == "fake":
        return MemoryBillStore()
    return DynamoBills(request.getfixturevalue("dynamodb"), TABLE, "staging")


def test_the_newest_bill_is_kept(bills: BillStore) -> None:
    now = moment("2026-09-20T13:00")
    assert bills.read() is None
    bills.keep(bill(now - 86400))
    bills.keep(bill(now))
    assert bills.read() == bill(now)


# --- drills and audits ----------------------------------------------------------------------

FIRST = Drill("a", "production", "main", "lead", 1.0, "candlefish-drill-a", Snapshot("s", 0.5))


@pytest.fixture(params=["fake", "dynamodb"])
def drills(request: pytest.FixtureRequest) -> Drills:
    if request.param == "fake":
        return MemoryDrills()
    return DynamoDrills(request.getfixturevalue("dynamodb"), TABLE, "production")


@pytest.fixture(params=["fake", "dynamodb"])
def reports(request: pytest.FixtureRequest) -> AuditReports:
    if request.param == "fake":
        return MemoryDrills()
    return DynamoDrills(request.getfixturevalue("dynamodb"), TABLE, "production")


def test_the_first_drill_of_an_id_stays(drills: Drills) -> None:
    assert drills.read("a") is None
    assert drills.create(FIRST) == FIRST
    assert drills.create(msgspec.structs.replace(FIRST, requested_by="other")) == FIRST
    assert drills.read("a") == FIRST


def test_a_change_of_a_drill_counts_and_no_change_does_not(drills: Drills) -> None:
    drills.create(FIRST)
    assert drills.update("a", lambda d: d).revision == 0
    assert drills.update("a", lambda d: msgspec.structs.replace(d, why="x")).revision == 1
    with pytest.raises(InvalidInput, match="there is no drill 'z'"):
        drills.update("z", lambda d: d)


def test_a_drill_that_never_holds_still_is_contested(drills: Drills) -> None:
    drills.create(FIRST)

    def change(drill: Drill) -> Drill:
        drills.update("a", lambda d: msgspec.structs.replace(d, why=f"{d.why}x"))
        return msgspec.structs.replace(drill, outcome="passed")

    with pytest.raises(RecordContested):
        drills.update("a", change)


def test_recent_drills_come_newest_first(drills: Drills) -> None:
    for id, at in (("a", 1.0), ("c", 3.0), ("b", 2.0)):
        drills.create(msgspec.structs.replace(FIRST, id=id, started_at=at))
    assert [d.id for d in drills.recent(2)] == ["c", "b"]
    for id in ("z", "y"):
        drills.create(msgspec.structs.replace(FIRST, id=id, started_at=9.0))
    assert [d.id for d in drills.recent(2)] == ["y", "z"]


def test_what_is_read_of_a_drill_is_ones_own(drills: Drills) -> None:
    given = msgspec.structs.replace(FIRST, evidence={"rows": [1]})
    drills.create(given)
    for mine in (given, drills.read("a"), drills.recent()[0]):
        assert mine is not None
        mine.evidence["rows"] = "spoilt"
    assert drills.update("a", lambda d: d).evidence == {"rows": [1]}


def test_the_newest_audit_is_kept(reports: AuditReports) -> None:
    assert reports.latest() is None
    report = AuditReport("production", 3.0, (AuditFinding("r", "s", "fail", "x", since=2.0),))
    reports.store(msgspec.structs.replace(report, at=1.0))
    reports.store(report)
    assert reports.latest() == report
