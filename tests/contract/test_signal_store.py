"""The guard's memory and the log of signals: the same cases on DynamoDB (moto) and in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from candlefish.adapters.table.history import DynamoSignalHistory
from candlefish.adapters.table.signals import DynamoGuards, DynamoSignalLog
from candlefish.errors import RecordContested
from candlefish.signals import record as g
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import KnownAlert, LoggedSignal, SignalDecision
from candlefish.signals.ports import Guards, SignalLog
from candlefish.signals.record import GuardRecord, Mute
from candlefish.views.ports import SignalHistory
from lab.memory.signals import MemoryGuards, MemorySignalLog
from lab.memory.views import MemorySignalHistory
from tests.support.catalogs import catalog
from tests.support.signal_world import World, alert, delivery, signal_of
from tests.support.table import make_table

POLICY = catalog().responses.guard


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-west-2")
        make_table(client, "candlefish")
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def guards(request: pytest.FixtureRequest, dynamodb: Any) -> Guards:
    return MemoryGuards() if request.param == "memory" else DynamoGuards(dynamodb, "candlefish", "production")


@pytest.fixture(params=["memory", "dynamodb"])
def log(request: pytest.FixtureRequest, dynamodb: Any) -> SignalLog:
    return (
        MemorySignalLog()
        if request.param == "memory"
        else DynamoSignalLog(dynamodb, "candlefish", "production")
    )


@pytest.fixture
def recent(log: SignalLog, dynamodb: Any) -> Callable[[int], list[LoggedSignal]]:
    """So many of the newest lines, as people are shown them."""
    history: SignalHistory = DynamoSignalHistory(dynamodb, "candlefish", "production")
    if isinstance(log, MemorySignalLog):
        history = MemorySignalHistory(log.lines)
    return lambda limit: list(history.lines(limit, time.time()).lines)


def line(name: str, at: float) -> LoggedSignal:
    return LoggedSignal(
        at, signal_of(alert(name, at=at), at=at), SignalDecision("none", f"because of {name}")
    )


def test_a_guard_remembers_nothing_at_first(guards: Guards) -> None:
    assert guards.get() == GuardRecord()


def test_a_guard_remembers_what_was_stored(guards: Guards) -> None:
    now = time.time()
    signal = signal_of(alert(at=now), at=now)
    guards.update(lambda r: g.claim(r, signal, "rollback", policy=POLICY, now=now)[0])
    guards.update(lambda r: g.add_mute(r, Mute("*", "asleep", "capacity", now + 60), now))
    stored = guards.get()
    assert [c.about for c in stored.claims] == ["service/backend-api"]
    assert [m.about for m in stored.mutes] == ["*"]
    assert stored.revision == 2


def test_a_change_that_changes_nothing_stores_nothing(guards: Guards) -> None:
    assert guards.update(lambda r: r).revision == 0
    assert guards.get().revision == 0


def test_a_change_that_raises_stores_nothing(guards: Guards) -> None:
    def refuse(record: GuardRecord) -> GuardRecord:
        raise RecordContested("no")

    with pytest.raises(RecordContested):
        guards.update(refuse)
    assert guards.get() == GuardRecord()


def test_a_line_is_kept_as_it_was_written(log: SignalLog, recent: Any) -> None:
    now = time.time()
    written = msgspec.structs.replace(
        line("A", now), decision=SignalDecision("none", "because", evidence={"n": [1]})
    )
    log.append([written], [])
    written.decision.evidence["n"].append(2)
    recent(1)[0].decision.evidence["n"].append(3)
    assert recent(1)[0].decision.evidence == {"n": [1]}


def test_of_many_that_claim_at_once_one_gets_it(dynamodb: Any, whole_writes: None) -> None:
    now = time.time()
    granted: list[str] = []
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        guards = DynamoGuards(dynamodb, "candlefish", "production")
        signal = signal_of(alert(at=now, fingerprint=f"f{number}"), at=now)
        outcome: list[Any] = []

        def change(record: GuardRecord) -> GuardRecord:
            after, result = g.claim(record, signal, "rollback", policy=POLICY, now=now)
            outcome[:] = [result]
            return after

        barrier.wait()
        guards.update(change)
        if isinstance(outcome[0], g.Claim):
            granted.append(outcome[0].owner)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 1
    assert [c.owner for c in DynamoGuards(dynamodb, "candlefish", "production").get().claims] == granted


def test_environments_do_not_share_a_guard(dynamodb: Any) -> None:
    one, other = (DynamoGuards(dynamodb, "candlefish", name) for name in ("production", "staging"))
    one.update(lambda r: g.add_mute(r, Mute("*", "asleep", "capacity", 60), 1))
    assert other.get() == GuardRecord()


def test_what_is_known_of_an_alert_moves_forward_only(log: SignalLog) -> None:
    newer, older = (
        KnownAlert("f", "resolved", 20.0, 10.0, settled=True),
        KnownAlert("f", "firing", 10.0, 10.0),
    )
    log.append([], [newer])
    log.append([], [older])
    assert log.seen(["f", "unknown"]) == {"f": newer}
    same = msgspec.structs.replace(newer, notified=True)
    log.append([], [same])
    assert log.seen(["f"]) == {"f": same}


def test_what_is_known_of_many_alerts_is_read_at_once(log: SignalLog) -> None:
    many = [KnownAlert(f"f{i}", "firing", float(i), float(i)) for i in range(230)]
    log.append([], many)
    assert log.seen([s.fingerprint for s in many] * 2) == {s.fingerprint: s for s in many}
    assert log.seen([]) == {}


def test_recent_lines_come_newest_first_over_midnight(log: SignalLog, recent: Any) -> None:
    now = time.time()
    lines = [line(f"A{i}", now - 3 * 86400 + i * 7200) for i in range(36)]
    log.append(lines, [])
    assert recent(100) == lines[::-1]
    assert recent(5) == lines[:-6:-1]


def test_a_message_is_one_owners_until_its_time_is_over(log: SignalLog) -> None:
    assert log.claim_telling("service/website|P1|none", "m1", now=100.0, until=200.0)
    assert not log.claim_telling("service/website|P1|none", "m2", now=150.0, until=250.0)
    assert log.claim_telling("service/api|P1|none", "m2", now=150.0, until=250.0)
    # Who died before it could send asks again.
    assert log.claim_telling("service/website|P1|none", "m1", now=150.0, until=250.0)
    assert not log.claim_telling("service/website|P1|none", "m2", now=249.0, until=350.0)
    assert log.claim_telling("service/website|P1|none", "m2", now=250.0, until=350.0)


def test_a_message_that_is_given_up_is_anybodys(log: SignalLog) -> None:
    assert log.claim_telling("key", "m1", now=100.0, until=200.0)
    assert log.claim_telling("key", "m1", now=100.0, until=100.0)
    assert log.claim_telling("key", "m2", now=100.0, until=200.0)


def test_a_window_has_room_for_so_many_different_messages(log: SignalLog) -> None:
    def told(key: str, window: float = 0.0) -> bool:
        return log.count_telling(key, window, until=window + 1800, most=3)

    assert [told(key) for key in ("a", "b", "a", "c", "d", "c")] == [True, True, True, True, False, True]
    assert told("d", 1800.0)


def test_what_only_tells_waits_for_nobody(dynamodb: Any) -> None:
    """Handlers at once, each with news of another thing: nobody writes the guard, and no write meets another."""
    written: list[str] = []
    refused: list[str] = []

    class Client:
        def __getattr__(self, name: str) -> Any:
            call = getattr(dynamodb, name)

            def noted(**given: Any) -> Any:
                if name in ("put_item", "update_item"):
                    written.append((given.get("Item") or given["Key"])["pk"]["S"])
                try:
                    return call(**given)
                except dynamodb.exceptions.ConditionalCheckFailedException:
                    refused.append(written[-1])
                    raise

            return noted

    world = World().quiet()
    client = Client()
    ports = msgspec.structs.replace(
        world.ports,
        guards=DynamoGuards(client, "candlefish", "production"),
        log=DynamoSignalLog(client, "candlefish", "production"),
    )

    def tell(number: int) -> None:
        odd = alert(f"Odd{number}", at=world.clock(), service="")
        handle_signal(delivery(odd, at=world.clock()), message=f"m{number}", ports=ports)

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert world.bus.kinds() == ["signal.decided"] * 16
    assert refused == [] and not any(key.startswith("guard#") for key in written)
