"""What people look back on: the same cases in memory and on DynamoDB."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from candlefish.adapters.table import keys
from candlefish.adapters.table.approvals import DynamoApprovals
from candlefish.adapters.table.history import DynamoHistory, DynamoSignalHistory
from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.looks import DynamoLooks
from candlefish.adapters.table.signals import DynamoSignalLog
from candlefish.errors import InvalidInput, Unreadable
from candlefish.release.model import Approval, Release, ReleaseEntry, SeenEvidence, SeenWindow, ServedCounts
from candlefish.release.ports import Approvals, JournalStore, Looks
from candlefish.service.model import Version
from candlefish.signals.model import Alert, LoggedSignal, Signal, SignalDecision
from candlefish.views.ports import Looking, ReleaseHistory, SignalHistory
from candlefish.views.see_release import see_release
from lab.memory.release import MemoryApprovals, MemoryJournalStore, MemoryLooks
from lab.memory.service import MemoryRecords
from lab.memory.views import MemoryHistory, MemorySignalHistory
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.seen_release import LEAD
from tests.support.service import fresh, image
from tests.support.table import TABLE

NOW = 1_796_078_463.0


class Stores(NamedTuple):
    journal: JournalStore
    approvals: Approvals
    looks: Looks
    history: ReleaseHistory


@pytest.fixture(params=["fake", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        journal, approvals, looks = MemoryJournalStore(), MemoryApprovals(), MemoryLooks()
        return Stores(journal, approvals, looks, MemoryHistory(journal, approvals, looks))
    client = request.getfixturevalue("dynamodb")
    return Stores(
        DynamoJournalStore(client, TABLE, "production"),
        DynamoApprovals(client, TABLE),
        DynamoLooks(client, TABLE),
        DynamoHistory(client, TABLE, "production"),
    )


def release(id: str, at: float = NOW, service: str = "backend-api") -> Release:
    return Release(id, "production", service, Version(image(2), "1.1.0"), "developer", "faster", at)


def window(n: int) -> SeenWindow:
    start = NOW + 60 * n
    return SeenWindow(
        start, start + 60, 10, ServedCounts(900, 2), ServedCounts(100, 1, p95=0.18), "cloudwatch", 0.1
    )


def seen(at: float = NOW) -> SeenEvidence:
    return SeenEvidence(at, "continue", "judge", NOW, at, "so far so good", numbers={"e_value": 1.5})


def logged(at: float, name: str) -> LoggedSignal:
    alert = Alert(f"{name}-{at}", "firing", {}, at, at)
    signal = Signal(alert, "cloudwatch", name, "production", "service", "website", "P1", "notify", at, at)
    return LoggedSignal(at, signal, SignalDecision("none", "nobody needs to act"))


def test_a_glance_has_release_question_and_evidence(stores: Stores) -> None:
    question = Approval(
        "r1", "production", "backend-api", "", "developer", True, NOW, question="q1", token="t"
    )
    stores.journal.open(release("r1"))
    stores.journal.open(release("r2"))
    stores.approvals.ask(question)
    stores.looks.keep("r1", seen(), ())
    found = stores.history.glances(["r1", "r2", "r3", "r1"])
    assert found["r1"].release == release("r1")
    assert found["r1"].question == msgspec.structs.replace(question, token="")
    assert found["r1"].seen == seen()
    assert (found["r2"].release, found["r2"].question, found["r2"].seen) == (release("r2"), None, None)
    assert (found["r3"].release, found["r3"].unreadable) == (None, "")


@pytest.mark.parametrize("kind", [keys.APPROVAL, keys.SEEN_EVIDENCE])
def test_what_cannot_be_read_beside_a_release_is_said_and_hides_nothing_else(
    dynamodb: Any, kind: keys.Item
) -> None:
    """Newer code may have written it, and somebody went back to this."""
    DynamoJournalStore(dynamodb, TABLE, "production").open(release("r1"))
    DynamoLooks(dynamodb, TABLE).keep("r1", seen(), ())
    dynamodb.put_item(TableName=TABLE, Item={**kind.key(release="r1"), "body": {"S": "not at all"}})
    history = DynamoHistory(dynamodb, TABLE, "production")
    glance = history.glances(["r1"])["r1"]
    assert glance.release == release("r1")
    assert glance.seen == (seen() if kind is keys.APPROVAL else None)
    assert "r1" in glance.unreadable
    looking = Looking("production", catalog(), MemoryRecords(fresh()), history, Clock(NOW))
    assert glance.unreadable in see_release("r1", LEAD, looking=looking).unknown


def test_a_release_that_cannot_be_read_is_no_mistake_of_whoever_looks(dynamodb: Any) -> None:
    dynamodb.put_item(TableName=TABLE, Item={**keys.RELEASE.key(release="r1"), "body": {"S": "not at all"}})
    history = DynamoHistory(dynamodb, TABLE, "production")
    looking = Looking("production", catalog(), MemoryRecords(fresh()), history, Clock(NOW))
    with pytest.raises(Unreadable, match="release r1 cannot be read"):
        see_release("r1", LEAD, looking=looking)


def test_more_releases_than_one_batch_has_room_for_are_found(stores: Stores) -> None:
    ids = [f"r{n}" for n in range(80)]
    for id in ids:
        stores.journal.open(release(id))
    assert [each.release.id for each in stores.history.glances(ids).values() if each.release] == ids


def test_a_timeline_comes_in_pages_newest_first_and_none_is_left_out_or_twice(stores: Stores) -> None:
    for n in range(7):
        stores.journal.append("r1", ReleaseEntry(NOW + n, "shifted", f"{n}"))
    told, before = [], ""
    for _ in range(9):
        page = stores.history.entries_of("r1", 3, before)
        told += [entry.reason for entry in page.entries]
        before = page.older
        if not before:
            break
    assert told == ["6", "5", "4", "3", "2", "1", "0"]


def test_a_page_that_ends_with_the_list_has_no_next_one(stores: Stores) -> None:
    for n in range(3):
        stores.journal.append("r1", ReleaseEntry(NOW + n, "shifted", f"{n}"))
    assert stores.history.entries_of("r1", 3).older == ""
    assert stores.history.entries_of("nobody", 3) == stores.history.entries_of("r2", 3)


def test_windows_are_kept_once_each_and_come_oldest_first(stores: Stores) -> None:
    stores.looks.keep("r1", seen(), [window(1), window(2)])
    stores.looks.keep("r1", seen(NOW + 1), [window(0), window(2)])
    assert stores.history.windows("r1") == [window(0), window(1), window(2)]
    assert stores.history.glances(["r1"])["r1"].seen == seen(NOW + 1)
    assert stores.history.windows("r2") == []


def test_many_windows_of_one_look_are_all_kept(stores: Stores) -> None:
    stores.looks.keep("r1", seen(), [window(n) for n in range(60)])
    assert len(stores.history.windows("r1")) == 60


def test_lists_of_a_service_and_of_all(stores: Stores) -> None:
    for n in range(5):
        stores.journal.open(release(f"r{n}", NOW + n, "backend-api" if n % 2 else "website"))
    first = stores.history.of_environment(3)
    assert first.ids == ("r4", "r3", "r2")
    assert stores.history.of_environment(3, first.older).ids == ("r1", "r0")
    assert stores.history.of_service("backend-api", 9).ids == ("r3", "r1")


@pytest.mark.parametrize("before", ["x", "0" * 20, f"{'1' * 20}#a b", f"{'1' * 20}#{'a' * 200}", "entry#1"])
def test_a_cursor_that_is_none_of_ours_is_refused(stores: Stores, before: str) -> None:
    stores.journal.append("r1", ReleaseEntry(NOW, "shifted", ""))
    with pytest.raises(InvalidInput, match="take `older` of an answer"):
        stores.history.entries_of("r1", 3, before)


def log_of(kind: str, request: pytest.FixtureRequest, lines: list[LoggedSignal]) -> SignalHistory:
    """The log of signals with these lines."""
    if kind == "fake":
        return MemorySignalHistory(lines)
    client = request.getfixturevalue("dynamodb")
    DynamoSignalLog(client, TABLE, "production").append(lines, ())
    return DynamoSignalHistory(client, TABLE, "production")


@pytest.mark.parametrize("kind", ["fake", "dynamodb"])
def test_the_log_of_signals_goes_back_over_days(kind: str, request: pytest.FixtureRequest) -> None:
    lines = [logged(NOW - 0.4 * 86400 * n, f"alarm-{n}") for n in range(8)]
    history = log_of(kind, request, lines)
    told, before, pages = [], "", 0
    while pages < 40:
        page = history.lines(3, NOW + 1, before)
        told += [line.signal.name for line in page.lines]
        before, pages = page.older, pages + 1
        if not before:
            break
    assert told == [f"alarm-{n}" for n in range(8)]


@pytest.mark.parametrize("kind", ["fake", "dynamodb"])
def test_the_newest_of_the_log_come_together_whatever_days_they_are_of(
    kind: str, request: pytest.FixtureRequest
) -> None:
    lines = [logged(NOW - 3600.0 * n, f"alarm-{n}") for n in range(40)]
    history = log_of(kind, request, lines)

    def names(limit: int, back: float) -> tuple[list[str], bool]:
        found = history.lately(limit, NOW + 1, NOW - back)
        return [line.signal.name for line in found.lines], bool(found.older)

    assert names(100, 26 * 3600.0) == ([f"alarm-{n}" for n in range(27)], False)
    assert names(5, 26 * 3600.0) == ([f"alarm-{n}" for n in range(5)], True)
    assert names(25, 26 * 3600.0) == ([f"alarm-{n}" for n in range(25)], True), "of two days"
    assert names(40, 100 * 3600.0) == ([f"alarm-{n}" for n in range(40)], False)
    assert names(100, 0.0) == (["alarm-0"], False)


def test_of_days_that_are_over_the_log_is_read_once(dynamodb: Any) -> None:
    log = DynamoSignalLog(dynamodb, TABLE, "production")
    log.append([logged(NOW - 3600.0 * n, f"alarm-{n}") for n in range(26)], ())
    history, days = DynamoSignalHistory(dynamodb, TABLE, "production"), list[str]()

    def count(params: Any, **_: Any) -> None:
        days.append(params["ExpressionAttributeValues"][":pk"]["S"].rpartition("#")[2])

    dynamodb.meta.events.register("before-parameter-build.dynamodb.Query", count)
    for _ in range(3):
        assert len(history.lately(100, NOW, NOW - 26 * 3600.0).lines) == 26
    assert days == ["2026-11-30", "2026-11-29", "2026-11-30", "2026-11-30"]
    log.append([logged(NOW + 60, "new")], ())
    assert history.lately(100, NOW + 60, NOW - 3600.0).lines[0].signal.name == "new"
    days.clear()
    # A quarter of an hour after midnight somebody may still write a line of the day before.
    midnight = NOW // 86400 * 86400 + 86400
    for at in (midnight + 60, midnight + 120, midnight + 1000, midnight + 1060):
        history.lately(100, at, at - 3600.0)
    assert days == ["2026-12-01", "2026-11-30"] * 3 + ["2026-12-01"]
