"""Days like any other, of a worker and a service in the cluster: what holds of weights holds of shares of Pods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.simulator.day import play
from lab.simulator.plan import Day, draw
from tests.support.kinds_catalog import CLUSTER, WORKER, kinds_catalog

# Days of production and staging on which something is released, and more.
SEEDS = [seed for seed in range(1, 60) if draw(seed).environment in ("production", "staging")][:6]


def of_kinds(day: Day) -> Day:
    """The same day, with these two services in place of those that it was drawn for."""
    names = {service: (WORKER, CLUSTER)[at % 2] for at, service in enumerate(day.services)}

    def renamed(happening: Any) -> Any:
        changes: dict[str, Any] = {}
        if (service := getattr(happening, "service", None)) in names:
            changes["service"] = names[service]
        if cars := getattr(happening, "cars", None):
            changes["cars"] = {names[each]: how for each, how in cars.items()}
        return msgspec.structs.replace(happening, **changes)

    happenings = tuple(renamed(each) for each in day.happenings)
    return msgspec.structs.replace(day, services=tuple(sorted(set(names.values()))), happenings=happenings)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_is_as_it_must_be(tmp_path: Path, seed: int) -> None:
    outcome = play(of_kinds(draw(seed)), kinds_catalog(tmp_path / "catalog"))
    assert [str(each) for each in outcome.broken] == []
    assert outcome.events > 500
