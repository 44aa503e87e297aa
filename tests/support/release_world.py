"""A production environment in memory: the first user's catalog and fakes for every port of a release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog
from candlefish.release.begin_release import begin_release
from candlefish.release.check_ready import check_ready
from candlefish.release.deploy_slot import deploy_slot
from candlefish.release.finish_rollback import finish_rollback
from candlefish.release.model import PlanStep
from candlefish.release.payloads import (
    AnalysisInput,
    GatedStart,
    Readiness,
    ReleaseContext,
    ReleaseRequest,
    ReleaseRun,
    RetireInput,
    Retirement,
    RollbackContext,
    RollbackEnd,
    StepInput,
)
from candlefish.release.reconcile_traffic import Died, reconcile_traffic
from candlefish.release.restore_traffic import restore_traffic
from candlefish.release.retire_slot import retire_slot
from candlefish.release.traffic_repairs import Repair
from candlefish.release.workload import objects_of
from candlefish.requester import Requester
from candlefish.service.model import RollbackRequest, Slot
from candlefish.service.record import ServiceRecord
from lab.memory.meter import MemoryMeter
from lab.memory.release import MemoryApprovals, MemoryBundles, MemoryFreezes
from lab.memory.requesters import MemoryRequesters
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemorySwitchboard
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.cluster import FakeCluster
from tests.support.executions import FakeExecutions
from tests.support.release import FakeJournal
from tests.support.service import image
from tests.support.traffic import FakeRules

CATALOG = catalog()
# How long a function that writes weights, or to the cluster, may live, in seconds.
WRITERS_LIVE = 20.0
CLUSTER_WRITERS_LIVE = 60.0
DEVELOPER = Requester("developer", {"principal": "arn:aws:iam::333333333333:user/developer"})


class World:
    """Everything a use case can touch, for one environment."""

    def __init__(self, record: ServiceRecord, environment: str = "production") -> None:
        self.catalog: Catalog = CATALOG
        self.environment = environment
        self.clock = Clock()
        self.records = MemoryRecords(record)
        self.rules = FakeRules(record)
        self.executions = FakeExecutions()
        self.approvals = MemoryApprovals()
        self.freezes = MemoryFreezes(environment)
        self.requesters = MemoryRequesters()
        self.cluster = FakeCluster()
        self.switchboard = MemorySwitchboard()
        self.bundles = MemoryBundles()
        self.meter = MemoryMeter()
        self.journal = FakeJournal(meter=self.meter)

    @property
    def record(self) -> ServiceRecord:
        return self.records.stored["backend-api"]

    def begin(
        self,
        release: str = "r2",
        admit: Callable[..., None] = lambda **_: None,
        requester: Requester = DEVELOPER,
        **fields: object,
    ) -> ReleaseContext:
        request = {
            "service": "backend-api",
            "image": image(2),
            "reason": "faster search",
            **fields,
        }
        self.executions.start("release", release, {})
        return begin_release(
            GatedStart(
                release, f"arn:release:{release}", msgspec.convert(request, ReleaseRequest), requester
            ),
            environment=self.environment,
            catalog=self.catalog,
            records=self.records,
            journal=self.journal,
            bundles=self.bundles,
            freezes=self.freezes,
            now=self.clock,
            admit=admit,
        )

    def runs(self, slot: Slot) -> None:
        """The version of a slot was deployed before anything of interest happened."""
        record, name = self.record, f"backend-api-{slot}"
        version, release = record.slots[slot].version, record.slots[slot].release
        assert version
        objects = objects_of(
            record, slot, version, release=release, catalog=self.catalog, bundles=self.bundles
        )
        self.cluster.apply(objects, generation=record.generation)
        self.cluster.raise_to("example-prod", name, 5, generation=record.generation)

    def deploy(self, begun: ReleaseContext) -> None:
        deploy_slot(
            self.step(begun, "deploy"),
            catalog=self.catalog,
            records=self.records,
            cluster=self.cluster,
            bundles=self.bundles,
            rules=self.rules,
            writers_live=20.0,
            journal=self.journal,
            now=self.clock,
        )

    def look_ready(self, begun: ReleaseContext, since: float | None = None, **step: object) -> Readiness:
        asked = self.step(begun, "ready", **step)
        return check_ready(
            asked if since is None else msgspec.structs.replace(asked, since=since),
            catalog=self.catalog,
            records=self.records,
            cluster=self.cluster,
            rules=self.rules,
            cluster_writers_live=CLUSTER_WRITERS_LIVE,
            journal=self.journal,
            now=self.clock,
        )

    def retire(self, asked: ReleaseRun, source: WindowSource) -> Retirement:
        """One look at the slot that a rollback's context, or a watch's question, wants retired."""
        names = RetireInput.__struct_fields__
        return retire_slot(
            RetireInput(**{name: getattr(asked, name) for name in names}),
            catalog=self.catalog,
            records=self.records,
            cluster=self.cluster,
            bundles=self.bundles,
            rules=self.rules,
            sources={"metrics": source},
            cluster_writers_live=CLUSTER_WRITERS_LIVE,
            journal=self.journal,
            now=self.clock,
        )

    def finish(self, restored: ReleaseRun, left: str = "") -> None:
        """The end of a rollback."""
        names = ReleaseRun.__struct_fields__
        finish_rollback(
            RollbackEnd(**{name: getattr(restored, name) for name in names}, left=left),
            records=self.records,
            rules=self.rules,
            journal=self.journal,
            now=self.clock,
        )

    def step(self, begun: ReleaseContext, kind: str, **fields: object) -> StepInput:
        step = msgspec.convert({"kind": kind, "within": 60.0, **fields}, PlanStep)
        return StepInput(**msgspec.structs.asdict(begun), step=step, since=self.clock.at)

    def analysis(self, begun: ReleaseContext, kind: str, **fields: object) -> AnalysisInput:
        """A look's event at the first step of the plan that judges."""
        plan = self.journal.read(begun.release).plan
        place = next(i for i, each in enumerate(plan) if each.kind == "judge")
        step = self.step(begun, kind, **fields)
        return AnalysisInput(**msgspec.structs.asdict(step), index=place + 1)


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
        requesters=world.requesters,
        journal=world.journal,
        now=world.clock,
    )


def look_at_traffic(world: Any, died: str = "", **more: Any) -> list[Repair]:
    """One look of the traffic's reconciler at anything that has a world's stores; `died` is an execution that failed."""
    return reconcile_traffic(
        Died(died, "FAILED"),
        environment="production",
        listeners=["listener"],
        records=world.records,
        rules=world.rules,
        executions=world.executions,
        journal=world.journal,
        events=world.journal.bus,
        switchboard=world.switchboard,
        writers_live=WRITERS_LIVE,
        meter=world.meter,
        now=world.clock,
        **more,
    )
