"""A running lab for the tests of the release engine, and what must be true when a machine has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.labs import Labs
from tests.support.stage import Stage, production


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(production)


@pytest.fixture(autouse=True)
def no_faults(stage: Stage) -> Iterator[None]:
    """A fault ends with its test."""
    yield
    stage.world.faults.clear()
