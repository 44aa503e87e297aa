"""Bills from Cost Explorer, by day and environment tag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.cost.model import Bill

# One endpoint for all regions.
REGION = "us-east-1"
# Credits and refunds come in lumps and say nothing about what things cost.
_FILTER = {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}}


class CostExplorer:
    """`cost.ports.BillSource`. `tag` is the cost allocation tag that names the environment."""

    def __init__(self, client: Any, tag: str) -> None:
        self._client = client
        self._tag = tag

    def daily(self, first: date, last: date, now: float) -> Bill:
        request = {
            "TimePeriod": {"Start": first.isoformat(), "End": (last + timedelta(days=1)).isoformat()},
            "Granularity": "DAILY",
            "Metrics": ["UnblendedCost"],
            "GroupBy": [{"Type": "TAG", "Key": self._tag}],
            "Filter": _FILTER,
        }
        pages: list[Mapping[str, Any]] = []
        token = ""
        with aws_call(f"reading costs from {first} to {last} by tag {self._tag}"):
            while not pages or token:
                extra = {"NextPageToken": token} if token else {}
                pages.append(self._client.get_cost_and_usage(**request, **extra))
                token = pages[-1].get("NextPageToken", "")
        return read_pages(pages, first, last, now)


def read_pages(pages: Iterable[Mapping[str, Any]], first: date, last: date, now: float) -> Bill:
    """A bill from the pages of GetCostAndUsage, grouped by one tag: keys are `<tag>$<value>`."""
    days: defaultdict[str, dict[str, float]] = defaultdict(dict)
    untagged: defaultdict[str, float] = defaultdict(float)
    for page in pages:
        for row in page["ResultsByTime"]:
            day = row["TimePeriod"]["Start"]
            for group in row["Groups"]:
                value = group["Keys"][0].partition("$")[2]
                amount = float(group["Metrics"]["UnblendedCost"]["Amount"])
                if value:
                    days[day][value] = days[day].get(value, 0.0) + amount
                else:
                    untagged[day] += amount
    return Bill(first.isoformat(), last.isoformat(), dict(days), dict(untagged), now)
