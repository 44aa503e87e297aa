"""The ports in memory. Each passes the same contract tests as the adapter it stands in for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.errors import InvalidInput, NotOnboarded
from candlefish.ports import Execution
from candlefish.release.journal import Journal
from candlefish.release.model import (
    Approval,
    ApprovalAnswer,
    Manifest,
    Release,
    ReleaseEntry,
    Rollout,
    Status,
)
from candlefish.release.ports import JournalStore
from candlefish.service.ports import Changed
from candlefish.service.record import ServiceRecord, new_record
from candlefish.traffic.ports import TargetHealth

IMAGE = "ghcr.io/candlefish-ai/backend-api@sha256:"


def image(digit: int) -> str:
    """An image by a digest that is easy to tell apart."""
    return IMAGE + f"{digit:064x}"


class Clock:
    """A clock that only tests move. Seconds."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += seconds


def fresh(service: str = "backend-api", environment: str = "production") -> ServiceRecord:
    """The record of a service that has just been onboarded."""
    return new_record(
        environment,
        service,
        rule=f"arn:aws:elasticloadbalancing:us-west-2:333333333333:listener-rule/app/lb/50dc6c/0467ef/{service}",
        smoke_rule=f"arn:aws:elasticloadbalancing:us-west-2:333333333333:listener-rule/app/lb/50dc6c/0467ef/{service}-smoke",
        smoke_token="smoke",
        target_groups={
            "blue": f"arn:aws:elasticloadbalancing:us-west-2:333333333333:targetgroup/{service}-blue/b1",
            "green": f"arn:aws:elasticloadbalancing:us-west-2:333333333333:targetgroup/{service}-green/g1",
        },
    )


class FakeRecords:
    """`ports.Records`. `between` runs between each read and write, as another writer would."""

    def __init__(self, *records: ServiceRecord) -> None:
        self.stored = {record.service: record for record in records}
        self.between: Callable[[], None] = lambda: None
        self.reads = 0
        self.writes = 0

    def get(self, service: str) -> ServiceRecord:
        self.reads += 1
        try:
            return self.stored[service]
        except KeyError:
            raise NotOnboarded(f"{service} is not onboarded") from None

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        return change_stored(lambda: self.get(service), change, self._put, f"the record of {service}")

    def _put(self, record: ServiceRecord, seen: int) -> bool:
        self.between()
        if self.stored[record.service].revision != seen:
            return False
        self.writes += 1
        self.stored[record.service] = record
        return True

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return self.stored.setdefault(record.service, record)

    def all(self) -> list[ServiceRecord]:
        return [self.stored[name] for name in sorted(self.stored)]


class FakeRules:
    """`traffic.ports.Rules`: rules that do what they are told, and target groups as healthy as a test says."""

    def __init__(self, *records: ServiceRecord, healthy: int = 100) -> None:
        self.weights: dict[str, dict[str, int]] = {}
        for record in records:
            self.weights[record.rule] = record.weights_by_target_group()
            self.weights[record.smoke_rule] = record.weights_by_target_group()
        self.targets: defaultdict[str, TargetHealth] = defaultdict(lambda: TargetHealth(healthy=healthy))
        self.calls: list[str] = []

    def read(self, rule: str) -> dict[str, int]:
        self.calls.append("read")
        return dict(self.weights[rule])

    def write(self, rule: str, weights: Mapping[str, int]) -> None:
        self.calls.append("write")
        self.weights[rule] = dict(weights)

    def health(self, target_group: str) -> TargetHealth:
        return self.targets[target_group]


class FakeJournalStore:
    """`release.ports.JournalStore`."""

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.timeline: defaultdict[str, list[ReleaseEntry]] = defaultdict(list)

    def open(self, release: Release) -> None:
        # Through JSON, as the adapter does: what cannot be stored must not pass a test.
        stored = msgspec.json.decode(msgspec.json.encode(release), type=Release)
        self.releases.setdefault(release.id, stored)

    def read(self, release: str) -> Release:
        try:
            return self.releases[release]
        except KeyError:
            raise InvalidInput(f"there is no release {release!r}") from None

    def append(self, release: str, entry: ReleaseEntry) -> None:
        self.timeline[release].append(msgspec.json.decode(msgspec.json.encode(entry), type=ReleaseEntry))

    def set_status(self, release: str, status: Status) -> None:
        if release in self.releases:
            self.releases[release] = msgspec.structs.replace(self.releases[release], status=status)

    def entries(self, release: str) -> list[ReleaseEntry]:
        return sorted(self.timeline[release], key=lambda entry: entry.at)

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        mine = [release for release in self.releases.values() if release.service == service]
        return sorted(mine, key=lambda release: release.started_at, reverse=True)[:limit]


class FakePublisher:
    """`ports.EventPublisher`: remembers what was published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.events.append((kind, detail))

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.events += events


class FakeJournal(Journal):
    """The journal over a store in memory, or over another one, and a bus that remembers."""

    def __init__(self, store: JournalStore | None = None) -> None:
        self.memory = FakeJournalStore()
        self.store = store or self.memory
        self.bus = FakePublisher()
        super().__init__(self.store, self.bus)

    @property
    def releases(self) -> dict[str, Release]:
        return self.memory.releases

    @property
    def timeline(self) -> defaultdict[str, list[ReleaseEntry]]:
        return self.memory.timeline

    @property
    def published(self) -> list[tuple[str, str]]:
        """Release and kind of each entry that went to the bus."""
        return [(str(detail["release"]), kind.partition(".")[2]) for kind, detail in self.bus.events]

    def entries(self, release: str) -> list[ReleaseEntry]:
        return self.store.entries(release)

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        return self.store.recent(service, limit)

    def kinds(self, release: str) -> list[str]:
        """The kinds of a release's entries, in the order in which they were written."""
        return [entry.kind for entry in self.timeline[release]]


class FakeExecutions:
    """`ports.Executions`: remembers what was started and answered."""

    def __init__(self) -> None:
        self.known: dict[str, Execution] = {}
        self.started: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[tuple[str, str]] = []

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        arn = f"arn:{machine}:{name}"
        if arn not in self.known:
            self.known[arn] = Execution(arn, "RUNNING")
            self.started.append((machine, name, dict(payload)))
        return arn

    def status(self, arn: str) -> Execution:
        return self.known.get(arn, Execution(arn, "UNKNOWN"))

    def find(self, machine: str, name: str) -> Execution | None:
        return self.known.get(f"arn:{machine}:{name}")

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        self.answers.append((token, "success"))

    def fail(self, token: str, *, error: str, cause: str) -> None:
        self.answers.append((token, error))


class FakeApprovals:
    """`release.ports.Approvals`."""

    def __init__(self) -> None:
        self.stored: dict[str, Approval] = {}

    def ask(self, approval: Approval) -> None:
        self.stored[approval.release] = approval

    def read(self, release: str) -> Approval:
        try:
            return self.stored[release]
        except KeyError:
            raise InvalidInput(f"release {release!r} waits for no approval") from None

    def answer(self, release: str, token: str, status: ApprovalAnswer, by: str) -> Approval:
        approval = self.read(release)
        if approval.token == token and approval.status == "pending":
            self.stored[release] = msgspec.structs.replace(approval, status=status, by=by)
        return self.stored[release]


class FakeCluster:
    """`release.ports.Cluster`: remembers what it was told; Deployments are as ready as a test says."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.replicas: dict[str, int] = {}
        self.bounds: dict[str, tuple[int, int]] = {}
        self.retired: list[str] = []
        self.next_rollout = Rollout(status="ready", reason="all Pods are ready", ready=5, desired=5)

    def apply(self, objects: Sequence[Manifest], *, force: bool = False) -> None:
        for each in objects:
            self.objects[each["kind"], each["metadata"]["name"]] = each

    def rollout(self, namespace: str, name: str) -> Rollout:
        return self.next_rollout

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        self.replicas[name] = replicas

    def raise_to(self, namespace: str, name: str, replicas: int) -> int:
        self.replicas[name] = max(self.replicas.get(name, 0), replicas)
        return self.replicas[name]

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int) -> None:
        self.bounds[name] = (minimum, maximum)

    def retire(self, namespace: str, name: str) -> None:
        self.replicas[name] = 0
        self.retired.append(name)

    def current_replicas(self, namespace: str, name: str) -> int:
        return self.replicas.get(name, 0)
