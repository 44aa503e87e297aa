"""Everything that one environment's control plane keeps in one region, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candlefish.ports import Now
from candlefish.release.model import HookAnswer
from lab.memory.alarms import MemoryAlarms
from lab.memory.analysis import MemoryCalibrations
from lab.memory.backups import MemoryDrills
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.cost import MemoryBillSource, MemoryBillStore, each_day
from lab.memory.events import MemoryEvents
from lab.memory.failover.runs import MemoryRuns
from lab.memory.meter import MemoryMeter
from lab.memory.release import (
    MemoryApprovals,
    MemoryBundles,
    MemoryFreezes,
    MemoryHooks,
    MemoryJournalStore,
    MemoryJudgements,
    MemoryLooks,
    MemoryNonces,
    MemoryRegistry,
    MemoryWorkflowTokens,
)
from lab.memory.requesters import MemoryRequesters
from lab.memory.service import MemoryRecords, MemoryStableVersions
from lab.memory.signals import (
    MemoryChannel,
    MemoryGuards,
    MemoryLedger,
    MemoryQueue,
    MemorySignalLog,
    MemorySwitchboard,
    MemoryTokens,
)


@dataclass(frozen=True)
class Stores:
    """Each is named as the accessor of `candlefish.bootstrap` whose adapter it stands for.

    Two of bootstrap's are made over these, as bootstrap makes them: `events` is `BestEffort` over `bus`,
    `journal` is `Journal` over `journal_store` and `events`.
    """

    journal_store: MemoryJournalStore
    # core
    records: MemoryRecords
    bus: MemoryEvents
    meter: MemoryMeter
    # release
    approvals: MemoryApprovals
    asked_freezes: MemoryFreezes
    nonces: MemoryNonces
    requesters: MemoryRequesters
    workflow_tokens: MemoryWorkflowTokens
    bundles: MemoryBundles
    hooks: MemoryHooks
    registry: MemoryRegistry
    calibrations: MemoryCalibrations
    judgements: MemoryJudgements
    looks: MemoryLooks
    # signals
    guards: MemoryGuards
    log: MemorySignalLog
    ledger: MemoryLedger
    switchboard: MemorySwitchboard
    queue: MemoryQueue
    tokens: MemoryTokens
    channels: Mapping[str, MemoryChannel]
    alarms: MemoryAlarms
    # capacity, cost, failover, backups
    store: MemoryCapacityStore
    bills: MemoryBillStore
    source: MemoryBillSource
    runs: MemoryRuns
    stable: MemoryStableVersions
    drills: MemoryDrills


def stores(environment: str, now: Now, *, region: str = "us-west-2") -> Stores:
    """An environment of which nothing is known yet: no services, no images, no token, no costs; both channels work.

    Hooks say yes; `hooks.answer` is what they say.
    """
    return Stores(
        journal_store=MemoryJournalStore(),
        records=MemoryRecords(),
        bus=MemoryEvents(),
        meter=MemoryMeter(),
        approvals=MemoryApprovals(),
        asked_freezes=MemoryFreezes(environment),
        nonces=MemoryNonces(),
        requesters=MemoryRequesters(),
        workflow_tokens=MemoryWorkflowTokens(),
        bundles=MemoryBundles({}),
        hooks=MemoryHooks(HookAnswer(True, "no objection")),
        registry=MemoryRegistry(),
        calibrations=MemoryCalibrations(),
        judgements=MemoryJudgements(),
        looks=MemoryLooks(),
        guards=MemoryGuards(),
        log=MemorySignalLog(),
        ledger=MemoryLedger(now),
        switchboard=MemorySwitchboard(),
        queue=MemoryQueue(),
        tokens=MemoryTokens(now=now),
        channels={"sns": MemoryChannel(), "slack": MemoryChannel()},
        alarms=MemoryAlarms(now, region=region),
        store=MemoryCapacityStore(environment),
        bills=MemoryBillStore(),
        source=MemoryBillSource(each_day({})),
        runs=MemoryRuns(),
        stable=MemoryStableVersions(),
        drills=MemoryDrills(),
    )
