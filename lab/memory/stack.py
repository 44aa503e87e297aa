"""Everything that one environment's control plane keeps, in memory, by the names of bootstrap's accessors."""

from __future__ import annotations

import msgspec

from candlefish.ports import Now
from candlefish.release.model import HookAnswer
from lab.memory.alarms import MemoryAlarms
from lab.memory.analysis import MemoryCalibrations
from lab.memory.backups import MemoryAuditReports, MemoryDrills
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.cost import MemoryBillStore
from lab.memory.events import MemoryEvents
from lab.memory.failover.runs import MemoryRuns
from lab.memory.release import (
    MemoryApprovals,
    MemoryBundles,
    MemoryHooks,
    MemoryJournalStore,
    MemoryNonces,
    MemoryRegistry,
)
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
