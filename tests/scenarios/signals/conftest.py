"""Production in virtual time, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.alerts import SignalStage
from tests.support.quick_catalog import without_budgets
from tests.support.scenario import simulated


@pytest.fixture
def stage() -> Iterator[SignalStage]:
    with simulated(services=("website",)) as made:
        yield SignalStage(made.site)


@pytest.fixture(scope="session")
def still_judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with which nothing but alarms rolls back in the rollback window."""
    return without_budgets(tmp_path_factory.mktemp("still") / "catalog")


@pytest.fixture
def still(still_judge: Path) -> Iterator[SignalStage]:
    with simulated(services=("backend-api", "storefront"), catalog=still_judge) as made:
        yield SignalStage(made.site)
