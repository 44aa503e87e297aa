"""A production environment in memory: the first user's catalog and fakes for every port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog
from candlefish.release.begin_release import begin_release
from candlefish.release.model import PlanStep
from candlefish.release.payloads import ReleaseContext, ReleaseRequest, ReleaseStart, StepInput
from candlefish.service.record import ServiceRecord
from tests.support.fakes import (
    Clock,
    FakeApprovals,
    FakeCluster,
    FakeExecutions,
    FakeJournal,
    FakeRecords,
    FakeRules,
    fresh,
    image,
)
from tests.unit.release.test_record import V1, released

CATALOG = load(Path(__file__).parents[3] / "catalog")


class World:
    """Everything a use case can touch, for one environment."""

    def __init__(self, record: ServiceRecord, environment: str = "production") -> None:
        self.catalog: Catalog = CATALOG
        self.environment = environment
        self.clock = Clock()
        self.records = FakeRecords(record)
        self.rules = FakeRules(record)
        self.journal = FakeJournal()
        self.executions = FakeExecutions()
        self.approvals = FakeApprovals()
        self.cluster = FakeCluster()

    @property
    def record(self) -> ServiceRecord:
        return self.records.stored["backend-api"]

    def begin(
        self, release: str = "r2", admit: Callable[..., None] = lambda **_: None, **fields: object
    ) -> ReleaseContext:
        request = {
            "service": "backend-api",
            "image": image(2),
            "requested_by": "developer",
            "reason": "faster search",
            **fields,
        }
        self.executions.start("release", release, {})
        return begin_release(
            ReleaseStart(release, f"arn:release:{release}", msgspec.convert(request, ReleaseRequest)),
            environment=self.environment,
            catalog=self.catalog,
            records=self.records,
            journal=self.journal,
            now=self.clock,
            admit=admit,
        )

    def step(self, begun: ReleaseContext, kind: str, **fields: object) -> StepInput:
        step = msgspec.convert({"kind": kind, "within": 60.0, **fields}, PlanStep)
        return StepInput(**msgspec.structs.asdict(begun), step=step, since=self.clock.at)


@pytest.fixture
def world() -> World:
    """Production, with backend-api stable on V1 in the green slot and its rollback window closed."""
    record = released(fresh(), "r1", V1, window=0)
    return World(msgspec.structs.replace(record, window_until=0.0))
