"""What a view costs as an environment grows: calls to AWS, counted at botocore; 200 services, 50 releases in flight."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import msgspec
import pytest

from candlefish.adapters.table.approvals import DynamoApprovals
from candlefish.adapters.table.freezes import DynamoFreezes
from candlefish.adapters.table.history import DynamoHistory, DynamoSignalHistory
from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.looks import DynamoLooks
from candlefish.adapters.table.records import DynamoRecords
from candlefish.release.model import Approval, Release, ReleaseEntry, SeenEvidence, SeenWindow, ServedCounts
from candlefish.release.plan import plan_release
from candlefish.service.record import intend_weight, note_step
from candlefish.views.ports import Looking
from candlefish.views.see_fleet import see_fleet
from candlefish.views.see_release import see_release
from candlefish.views.see_releases import see_releases
from candlefish.views.see_service import see_service
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.seen_release import LEAD
from tests.support.service import V1, V2, fresh, released, take
from tests.support.table import TABLE, dynamodb_table
from tests.support.traffic import FakeRules

AT = 1_800_000_000.0
PLAN = plan_release(catalog().strategies["canary"], first=False, window=60, judge="default")
# A version's rendered configuration, as large as many are.
CONFIGURATION = '{"env":{' + ",".join(f'"SETTING_{n}":"value {n}"' for n in range(80)) + "}}"


class Environment:
    """So many services, of which the first are being released, each tenth with a question; and what reads cost."""

    def __init__(self, client: Any, services: int, in_flight: int, table: str = TABLE) -> None:
        self.calls: Counter[str] = Counter()
        self.rules = FakeRules()
        records = DynamoRecords(client, table, "production")
        journal, approvals, looks = (
            DynamoJournalStore(client, table, "production"),
            DynamoApprovals(client, table),
            DynamoLooks(client, table),
        )
        old, new = (msgspec.structs.replace(each, configuration=CONFIGURATION) for each in (V1, V2))
        for n in range(services):
            name = f"service-{n:03}"
            record = released(fresh(name), f"{name}-1", old, now=AT - 9e5, window=0)
            if n < in_flight:
                id = f"{name}-2"
                record = take(record, id, new, now=AT - 700)
                record = note_step(record, generation=record.generation, step=7, since=AT - 400)
                record = intend_weight(record, generation=record.generation, slot="blue", weight=10)
                asked = n % 10 == 0
                journal.open(
                    Release(
                        id,
                        "production",
                        name,
                        new,
                        "developer",
                        "faster",
                        AT - 700,
                        slot="blue",
                        strategy="canary",
                        plan=PLAN,
                        status="awaiting_approval" if asked else "running",
                    )
                )
                for m in range(10):
                    journal.append(id, ReleaseEntry(AT - 600 + m, "scaled", f"{m}"))
                counts = ServedCounts(900, 2), ServedCounts(100)
                window = SeenWindow(AT - 120, AT - 60, 10, *counts)
                evidence = SeenEvidence(
                    AT - 30,
                    "continue",
                    "judge",
                    AT - 400,
                    AT - 60,
                    "",
                    *counts,
                    windows=5,
                    length=60,
                    source="cloudwatch",
                )
                looks.keep(id, evidence, [window])
                if asked:
                    approvals.ask(
                        Approval(id, "production", name, "", "developer", True, AT + 999, question="q")
                    )
            records.create(record)
        client.meta.events.register("before-call", self._count)
        freezes = DynamoFreezes(client, table, "production")
        history = DynamoHistory(client, table, "production")
        self.looking = Looking(
            "production",
            _declaring(services),
            records,
            history,
            Clock(AT),
            rules=self.rules,
            freezes=freezes,
            signals=DynamoSignalHistory(client, table, "production"),
        )

    def _count(self, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1

    def cost(self, look: Any) -> dict[str, int]:
        self.calls.clear()
        began = time.perf_counter()
        look()
        print(f"{time.perf_counter() - began:.3f} s, {dict(self.calls)}")
        return dict(self.calls)


def _declaring(services: int) -> Any:
    """The tests' catalog with so many services like its backend."""
    like = catalog().services["backend-api"]
    names = [f"service-{n:03}" for n in range(services)]
    return msgspec.structs.replace(
        catalog(), services={name: msgspec.structs.replace(like, name=name) for name in names}
    )


@pytest.fixture(scope="module")
def large() -> Any:
    with dynamodb_table() as client:
        yield Environment(client, 200, 50)


def test_a_fleet_of_200_services_and_50_releases_costs_a_handful_of_calls(large: Environment) -> None:
    first = large.cost(lambda: see_fleet(LEAD, looking=large.looking))
    cost = large.cost(lambda: see_fleet(LEAD, looking=large.looking))
    # One query for the records a page of 1 MB, 100 items a batch, one look at the freezes, and one query for the log of
    # signals: at first of yesterday's as well.
    assert cost == {"Query": cost["Query"], "BatchGetItem": 2, "GetItem": 1}
    assert cost["Query"] <= 3
    assert first["Query"] - cost["Query"] <= 2


def test_a_large_fleet_shows_every_release_and_question(large: Environment) -> None:
    view = see_fleet(LEAD, looking=large.looking)
    assert len(view.cells) == 200
    assert sum(cell.status in ("running", "awaiting_approval") for cell in view.cells) == 50
    assert len([need for need in view.needs if need.question]) == 5
    assert view.unknown == ()


def test_a_small_fleet_at_rest_costs_three_calls() -> None:
    with dynamodb_table("small") as client:
        small = Environment(client, 3, 0, "small")
        see_fleet(LEAD, looking=small.looking)
        cost = small.cost(lambda: see_fleet(LEAD, looking=small.looking))
    assert cost == {"Query": 2, "GetItem": 1}, "the records, the log of signals, the freezes"


def test_a_release_costs_the_same_however_large_the_environment_is(large: Environment) -> None:
    cost = large.cost(lambda: see_release("service-007-2", LEAD, looking=large.looking))
    # Release, question and evidence; timeline and windows; record and freezes.
    assert cost == {"BatchGetItem": 1, "Query": 2, "GetItem": 2}


def test_looking_at_a_release_again_and_again_asks_the_load_balancer_once_in_five_seconds(
    large: Environment,
) -> None:
    from candlefish.views.weights import RecentRules

    clock = Clock(AT)
    rules = FakeRules(large.looking.records.get("service-007"))
    looking = large.looking._replace(rules=RecentRules(rules, clock), now=clock)
    for _ in range(5):
        see_release("service-007-2", LEAD, looking=looking)
        clock.forward(1)
    assert rules.calls.count("listed") == 1
    see_release("service-007-2", LEAD, looking=looking)
    assert rules.calls.count("listed") == 2


def test_a_page_of_releases_and_a_service(large: Environment) -> None:
    assert large.cost(lambda: see_releases("service-007", looking=large.looking)) == {
        "GetItem": 1,
        "Query": 1,
        "BatchGetItem": 1,
    }
    cost = large.cost(lambda: see_service("service-007", LEAD, looking=large.looking))
    assert sum(cost.values()) <= 8


def test_nothing_is_ever_scanned(large: Environment) -> None:
    for look in (
        lambda: see_fleet(LEAD, looking=large.looking),
        lambda: see_service("service-007", LEAD, looking=large.looking),
    ):
        assert "Scan" not in large.cost(look)
