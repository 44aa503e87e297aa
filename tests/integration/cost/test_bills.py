"""A bill that runs away, through the deployed functions: people are told, and what may sleep is put to sleep."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.ce.models import ce_backends

from lab.moto import ACCOUNT
from lab.world import World
from tests.support.labs import Labs
from tests.support.night import ENVIRONMENT, Night

# US dollars a day, far above the target of $400-600 a month.
DAILY = 100.0


def answer() -> dict[str, Any]:
    """Cost Explorer's answer about the last hundred days."""
    today = datetime.now(UTC).date()
    rows = []
    for back in range(100, 0, -1):
        day = today - timedelta(days=back)
        cost = {"UnblendedCost": {"Amount": str(DAILY), "Unit": "USD"}}
        rows.append(
            {
                "TimePeriod": {"Start": str(day), "End": str(day + timedelta(days=1))},
                "Total": {},
                "Groups": [{"Keys": [f"Environment${ENVIRONMENT}"], "Metrics": cost}],
                "Estimated": back < 3,
            }
        )
    return {"ResultsByTime": rows, "GroupDefinitions": [], "DimensionValueAttributes": []}


@contextmanager
def costly(folder: Path) -> Iterator[Night]:
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    with World(folder, time_scale=120.0) as world:
        world.up((ENVIRONMENT,))
        ce_backends[ACCOUNT]["aws"].cost_usage_results_queue = [answer(), answer()]
        yield Night(world)


@pytest.fixture
def night(labs: Labs) -> Night:
    return labs.get(costly)


def test_last_months_report_says_what_was_spent(night: Night) -> None:
    report = night.world.invoke(ENVIRONMENT, "review-costs", {"task": "report"})
    first = datetime.now(UTC).date().replace(day=1)
    days = (first - timedelta(days=1)).day
    assert report["spent"] == pytest.approx(DAILY * days)


def test_what_costs_far_too_much_is_put_to_sleep_until_a_person_wakes_it(night: Night) -> None:
    # A new day: the bill that was kept is a day old.
    bill = {"pk": {"S": f"cost#{ENVIRONMENT}"}, "sk": {"S": "bill"}}
    night.client("dynamodb").delete_item(TableName=night.site.stack.outputs["TableName"], Key=bill)
    seen = night.world.invoke(ENVIRONMENT, "review-costs", {"task": "watch"})
    assert seen["decision"]["action"] == "sleep", seen
    assert night.phase("asleep").by
    # Once a month: whoever wakes it is not put to sleep again by the same bill.
    assert night.say("wake")[0] == 200
    night.phase("awake")
    assert night.world.invoke(ENVIRONMENT, "review-costs", {"task": "watch"})["decision"]["action"] != "sleep"
