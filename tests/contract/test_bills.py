"""Bills: Cost Explorer as moto serves recorded answers, and the store that keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import botocore.session
import msgspec
import pytest
from moto import mock_aws
from moto.ce.models import ce_backends

from candlefish.adapters.aws.cost_explorer import CostExplorer
from candlefish.adapters.table.bills import DynamoBills
from candlefish.cost.forecast import forecast
from candlefish.cost.model import Bill
from candlefish.cost.ports import BillSource
from lab.memory.cost import MemoryBillSource
from tests.support.bills import FIRST, LAST, STAGING, answer, bill, hours_of, moment, shown
from tests.support.table import make_table

NOW = moment("2026-09-20T13:00")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    session = botocore.session.Session()
    with mock_aws():
        yield lambda service: session.create_client(service, region_name="us-east-1")


def pages(count: int) -> list[dict[str, Any]]:
    """The recorded answer, cut into pages as Cost Explorer does."""
    whole = dict(answer(NOW))
    rows = whole["ResultsByTime"]
    size = -(-len(rows) // count)
    cut = [{**whole, "ResultsByTime": rows[start : start + size]} for start in range(0, len(rows), size)]
    for number, page in enumerate(cut[:-1]):
        page["NextPageToken"] = f"page-{number + 1}"
    return cut


@pytest.fixture(params=["memory", "cost explorer"])
def source(request: pytest.FixtureRequest, aws: Any) -> BillSource:
    if request.param == "memory":
        return MemoryBillSource(shown)
    ce_backends["123456789012"]["aws"].cost_usage_results_queue = pages(1)
    return CostExplorer(aws("ce"), "Environment")


def test_a_bill_has_each_day_by_environment_and_what_carries_no_tag(source: BillSource) -> None:
    seen = source.daily(FIRST, LAST, NOW)
    assert (seen.first, seen.last, seen.fetched_at) == (FIRST.isoformat(), LAST.isoformat(), NOW)
    assert set(seen.days["2026-09-01"]) == {"staging", "development", "production"}
    assert seen.untagged["2026-09-10"] > seen.untagged["2026-09-08"]
    assert "2026-10-01" not in seen.days
    # To the hundredth of a cent: Cost Explorer writes amounts as decimals.
    assert _rounded(seen) == _rounded(bill(NOW))


def _rounded(bill: Bill) -> Bill:
    days = {day: {name: round(cost, 4) for name, cost in costs.items()} for day, costs in bill.days.items()}
    untagged = {day: round(cost, 4) for day, cost in bill.untagged.items()}
    return msgspec.structs.replace(bill, days=days, untagged=untagged)


@pytest.mark.parametrize("count", [1, 4])
def test_a_bill_is_read_whole_however_many_pages_it_has(aws: Any, count: int) -> None:
    ce_backends["123456789012"]["aws"].cost_usage_results_queue = pages(count)
    seen = CostExplorer(aws("ce"), "Environment").daily(FIRST, LAST, NOW)
    assert seen == bill(NOW)
    expected = forecast(seen, "staging", lambda day: hours_of(STAGING, day), NOW)
    assert 400 < expected.total < 600


def test_the_question_is_asked_by_tag_and_day_without_credits(
    aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = aws("ce"), []

    def answered(**request: Any) -> dict[str, Any]:
        asked.append(request)
        return pages(1)[0]

    monkeypatch.setattr(client, "get_cost_and_usage", answered)
    CostExplorer(client, "Environment").daily(date(2026, 9, 1), date(2026, 9, 30), NOW)
    (request,) = asked
    assert request["TimePeriod"] == {"Start": "2026-09-01", "End": "2026-10-01"}
    assert request["GroupBy"] == [{"Type": "TAG", "Key": "Environment"}]
    assert request["Filter"]["Not"]["Dimensions"]["Values"] == ["Credit", "Refund"]


def test_the_newest_bill_is_kept(aws: Any) -> None:
    client = aws("dynamodb")
    make_table(client, "table")
    store = DynamoBills(client, "table", "staging")
    assert store.read() is None
    store.keep(bill(NOW - 86400))
    store.keep(bill(NOW))
    assert store.read() == bill(NOW)
    assert DynamoBills(client, "table", "production").read() is None
