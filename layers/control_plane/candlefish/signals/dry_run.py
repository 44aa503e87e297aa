"""Dry run: the same decisions by the same code. What it reads is real, or supposed; what it would write stays here.

A delivery may hold several alerts, and what is claimed or held for the first counts for the next. So what
would be written is remembered, and read again, for as long as the dry run lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.ports import Execution, Now
from candlefish.release.model import Release
from candlefish.service.ports import Changed
from candlefish.service.record import ServiceRecord
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery, KnownAlert, LoggedSignal
from candlefish.signals.ports import GuardChanged, SignalPorts
from candlefish.signals.record import GuardRecord


class DryRunSources(msgspec.Struct, frozen=True):
    """What decisions read: from the real ports, or only supposed. Nothing here writes.

    `record` and `release` raise what `ChangeableRecords.get` and `Releases.read` raise.
    """

    environment: str
    catalog: Catalog
    guard: Callable[[], GuardRecord]
    seen: Callable[[Sequence[str]], dict[str, KnownAlert]]
    record: Callable[[str], ServiceRecord]
    release: Callable[[str], Release]
    switched_off: Callable[[], str]
    asleep: Callable[[], str]
    now: Now


class DryRun(msgspec.Struct, frozen=True):
    """What would have been decided, started and published."""

    lines: list[LoggedSignal]
    started: list[tuple[str, str]]
    published: list[tuple[str, dict[str, Any]]]


def run_dry(delivery: Delivery, sources: DryRunSources) -> DryRun:
    """What would be done about a delivery. Reads what `sources` read, writes nothing."""
    machines, events = _Intended(), _Unpublished()
    ports = SignalPorts(
        environment=sources.environment,
        catalog=sources.catalog,
        guards=_UnwrittenGuards(sources.guard),
        log=_UnwrittenLog(sources.seen),
        records=_UnwrittenServices(sources.record),
        journal=_Readable(sources.release),
        executions=machines,
        events=events,
        switchboard=_Tag(sources.switched_off),
        asleep=sources.asleep,
        now=sources.now,
    )
    lines = handle_signal(delivery, message="dry-run", ports=ports)
    return DryRun(lines, machines.started, events.published)


class _UnwrittenGuards:
    """`signals.ports.Guards`: claims count for the rest of the dry run."""

    def __init__(self, read: Callable[[], GuardRecord]) -> None:
        self._read = read
        self._changed: GuardRecord | None = None

    def get(self) -> GuardRecord:
        return self._changed or self._read()

    def update(self, change: Callable[[GuardRecord], GuardChanged]) -> GuardChanged:
        changed = change(self.get())
        self._changed = changed[0] if isinstance(changed, tuple) else changed
        return changed


class _UnwrittenServices:
    """`service.ports.ChangeableRecords`: holds count for the rest of the dry run."""

    def __init__(self, read: Callable[[str], ServiceRecord]) -> None:
        self._read = read
        self._changed: dict[str, ServiceRecord] = {}

    def get(self, service: str) -> ServiceRecord:
        return self._changed.get(service) or self._read(service)

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        changed = change(self.get(service))
        self._changed[service] = changed[0] if isinstance(changed, tuple) else changed
        return changed


class _UnwrittenLog:
    """`signals.ports.SignalLog`."""

    def __init__(self, read: Callable[[Sequence[str]], dict[str, KnownAlert]]) -> None:
        self.seen = read
        self._told: set[str] = set()

    def claim_telling(self, key: str, owner: str, *, now: float, until: float) -> bool:
        """Messages count for the rest of the dry run, and nobody else tells."""
        self._told.add(key)
        return True

    def count_telling(self, key: str, window: float, *, until: float, most: int) -> bool:
        return len(self._told) <= most

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        """The lines are what the dry run returns."""


class _Readable:
    """`signals.ports.Releases`."""

    def __init__(self, read: Callable[[str], Release]) -> None:
        self.read = read


class _Tag:
    """`signals.ports.Switchboard`."""

    def __init__(self, off: Callable[[], str]) -> None:
        self.off = off


class _Intended:
    """`signals.ports.Machines`: what would be started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        self.started.append((machine, name))
        return self.arn(machine, name)

    def arn(self, machine: str, name: str) -> str:
        return f"dry-run:{machine}:{name}"

    def status(self, arn: str) -> Execution:
        return Execution(arn, "UNKNOWN")


class _Unpublished:
    """`ports.EventPublisher`: what would be published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.published += [(kind, dict(detail)) for kind, detail in events]
