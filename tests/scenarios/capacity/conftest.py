"""Staging in virtual time, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_night import SimulatedNight, staging


@pytest.fixture
def night() -> Iterator[SimulatedNight]:
    with staging() as made:
        yield made
