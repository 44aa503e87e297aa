"""The freezes that people asked for: the same cases in memory and in DynamoDB."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from candlefish.adapters.table.freezes import DynamoFreezes
from candlefish.errors import RecordContested
from candlefish.release.model import AskedFreeze
from candlefish.release.ports import Freezes
from candlefish.release.record import AskedFreezes, add_freeze, lift_freeze
from lab.memory.release import MemoryFreezes
from tests.support.table import make_table

SHOP, ALL = AskedFreeze("shop", "why", "ada", 1.5, 20.0), AskedFreeze("", "a fair", "bob", 2.0, 30.0)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "memory":
        yield MemoryFreezes("staging")
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = botocore.session.Session().create_client("dynamodb", region_name="us-west-2")
        make_table(client, "table")
        yield DynamoFreezes(client, "table", "staging")


def test_nothing_is_frozen_where_nobody_ever_froze(store: Freezes) -> None:
    assert store.get() == AskedFreezes("staging")


def test_what_is_written_is_read(store: Freezes) -> None:
    store.update(lambda record: add_freeze(record, SHOP))
    after, said = store.update(lambda record: (add_freeze(record, ALL), "more"))
    assert (after.freezes, after.revision, said) == ((SHOP, ALL), 2, "more")
    store.update(lambda record: lift_freeze(record, "shop", by="eve", now=3.0))
    shop, _ = store.get().freezes
    assert (shop.lifted_by, shop.lifted_at) == ("eve", 3.0)


def test_who_was_overtaken_reads_again(store: Freezes) -> None:
    seen = []

    def change(record: AskedFreezes) -> AskedFreezes:
        seen.append(record.revision)
        if len(seen) == 1:
            store.update(lambda newer: add_freeze(newer, ALL))
        return add_freeze(record, SHOP)

    assert store.update(change).freezes == (ALL, SHOP)
    assert seen == [0, 1]


def test_who_is_overtaken_every_time_is_told(store: Freezes) -> None:
    turn = iter(range(1000))

    def change(record: AskedFreezes) -> AskedFreezes:
        n = next(turn)
        store.update(lambda newer: add_freeze(newer, AskedFreeze(f"s{n}", "why", "eve", n * 1.0, n + 0.5)))
        return add_freeze(record, SHOP)

    with pytest.raises(RecordContested):
        store.update(change)
