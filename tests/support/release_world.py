"""A production environment in memory: the first user's catalog and fakes for every port of a release."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.release.begin_release import begin_release
from candlefish.release.model import PlanStep
from candlefish.release.payloads import (
    ReleaseContext,
    ReleaseRequest,
    ReleaseStart,
    RollbackContext,
    StepInput,
)
from candlefish.release.restore_traffic import restore_traffic
from candlefish.service.model import RollbackRequest
from candlefish.service.record import ServiceRecord
from lab.memory.release import MemoryApprovals
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemorySwitchboard
from tests.support.catalog import catalog
from tests.support.clock import Clock
from tests.support.cluster import FakeCluster
from tests.support.executions import FakeExecutions
from tests.support.release import FakeJournal
from tests.support.service import image
from tests.support.traffic import FakeRules

CATALOG = catalog()


class World:
    """Everything a use case can touch, for one environment."""

    def __init__(self, record: ServiceRecord, environment: str = "production") -> None:
        self.catalog: Catalog = CATALOG
        self.environment = environment
        self.clock = Clock()
        self.records = MemoryRecords(record)
        self.rules = FakeRules(record)
        self.journal = FakeJournal()
        self.executions = FakeExecutions()
        self.approvals = MemoryApprovals()
        self.cluster = FakeCluster()
        self.switchboard = MemorySwitchboard()

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


def roll_back(world: World, **fields: object) -> RollbackContext:
    request = {
        "id": "rb",
        "environment": "production",
        "service": "backend-api",
        "reason": "errors over 10%",
        "by": "alarm",
        **fields,
    }
    return restore_traffic(
        msgspec.convert(request, RollbackRequest),
        execution="arn:rollback:rb",
        environment="production",
        writers_live=20,
        records=world.records,
        rules=world.rules,
        journal=world.journal,
        now=world.clock,
    )
