"""Production in virtual time, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.scenario import SimulatedStage, simulated


@pytest.fixture
def stage() -> Iterator[SimulatedStage]:
    with simulated() as made:
        yield made
