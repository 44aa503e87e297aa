"""Dry run: the same decisions by the same code, on ports that remember and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.ports import Execution, Now
from candlefish.release.journal import Entry, Release
from candlefish.service.ports import Changed
from candlefish.service.record import ServiceRecord
from candlefish.signals.handle_signal import SignalPorts, handle_signal
from candlefish.signals.model import Delivery, KnownAlert, LoggedSignal
from candlefish.signals.record import GuardRecord


class DryRunSources(msgspec.Struct, frozen=True):
    """The world as far as decisions read it: real, or only supposed.

    `record` and `release` raise what `Records.get` and `Journal.read` raise.
    """

    environment: str
    catalog: Catalog
    guard: GuardRecord
    seen: Callable[[Sequence[str]], dict[str, KnownAlert]]
    record: Callable[[str], ServiceRecord]
    release: Callable[[str], Release]
    switched_off: Callable[[], str]
    asleep: Callable[[], str]
    now: Now


class DryRun(msgspec.Struct, frozen=True):
    """What would have been decided, started and told."""

    lines: list[LoggedSignal]
    started: list[tuple[str, str]]
    told: list[tuple[str, dict[str, Any]]]


def run_dry(delivery: Delivery, sight: DryRunSources) -> DryRun:
    """What would be done about a delivery. Reads what `sight` reads, writes nothing."""
    stage = _Stage(sight)
    desk = SignalPorts(
        environment=sight.environment,
        catalog=sight.catalog,
        guards=_Guards(sight.guard),
        log=stage,
        records=_Records(sight.record),
        journal=_Journal(sight.release),
        executions=stage,
        events=stage,
        switchboard=stage,
        asleep=sight.asleep,
        now=sight.now,
    )
    lines = handle_signal(delivery, message="rehearsal", desk=desk)
    return DryRun(lines, stage.started, stage.published)


class _Stage:
    """The log, the executions, the bus and the switchboard of a rehearsal."""

    def __init__(self, sight: DryRunSources) -> None:
        self._sight = sight
        self.started: list[tuple[str, str]] = []
        self.published: list[tuple[str, dict[str, Any]]] = []

    def seen(self, fingerprints: Sequence[str]) -> dict[str, KnownAlert]:
        return self._sight.seen(fingerprints)

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        """Nothing."""

    def recent(self, limit: int, since: float = 0.0) -> list[LoggedSignal]:
        return []

    def off(self) -> str:
        return self._sight.switched_off()

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.published += [(kind, dict(detail)) for kind, detail in events]

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        self.started.append((machine, name))
        return f"rehearsal:{machine}:{name}"

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        """Nothing."""

    def status(self, arn: str) -> Execution:
        return Execution(arn, "UNKNOWN")

    def find(self, machine: str, name: str) -> Execution | None:
        return None

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        """Nothing."""

    def fail(self, token: str, *, error: str, cause: str) -> None:
        """Nothing."""


class _Guards:
    def __init__(self, record: GuardRecord) -> None:
        self._record = record

    def get(self) -> GuardRecord:
        return self._record

    def update(self, change: Callable[[GuardRecord], GuardRecord]) -> GuardRecord:
        self._record = change(self._record)
        return self._record


class _Records:
    def __init__(self, read: Callable[[str], ServiceRecord]) -> None:
        self._read = read
        self._changed: dict[str, ServiceRecord] = {}

    def get(self, service: str) -> ServiceRecord:
        return self._changed.get(service) or self._read(service)

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        changed = change(self.get(service))
        self._changed[service] = changed[0] if isinstance(changed, tuple) else changed
        return changed

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return record

    def all(self) -> list[ServiceRecord]:
        return list(self._changed.values())


class _Journal:
    def __init__(self, read: Callable[[str], Release]) -> None:
        self.read = read

    def open(self, release: Release) -> None:
        """Nothing."""

    def append(self, release: str, entry: Entry) -> None:
        """Nothing."""

    def entries(self, release: str) -> list[Entry]:
        return []

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        return []
