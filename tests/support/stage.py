"""A running lab for releases, and what must be true when a machine has ended."""

from __future__ import annotations

import json
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.records import DynamoRecords
from candlefish.release.journal import STATUS
from candlefish.release.model import Release
from candlefish.service.model import SLOTS, all_to
from candlefish.service.record import ServiceRecord
from lab.kube.kinds import DEPLOYMENT
from lab.scenes import driver
from lab.scenes.bring_up import bring_up
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load
from lab.world import World
from tests.support.catalogs import FIXTURES
from tests.support.waiting import PATIENCE, eventually, rounds

ROOT = Path(__file__).parents[2]
SERVICES = ("backend-api", "api-gateway", "website")
# Passes a smoke test that is tried again, and leaves the judge no doubt; fewer errors than alarms roll back for.
OFTEN_FAILS = Behaviour(error_rate=0.45)


class Stage:
    """One environment of a running lab, and the questions that tests ask of it."""

    def __init__(self, world: World, environment: str) -> None:
        self.world, self.environment = world, environment
        self.site = world.sites[environment]
        dynamodb = self.client("dynamodb")
        table = self.site.stack.outputs["TableName"]
        self.records = DynamoRecords(dynamodb, table, environment)
        self.journal = DynamoJournalStore(dynamodb, table, environment)

    def client(self, service: str) -> Any:
        return self.world.clients(self.site.region)(service)

    def start(self, service: str, version: str, **more: Any) -> str:
        fields = {"by": "developer", **more}
        return driver.start_release(self.world, self.environment, service, version, **fields)

    def start_raw(self, request: Any, name: str) -> str:
        """Start the release machine with any input; the execution's name."""
        self.client("stepfunctions").start_execution(
            stateMachineArn=self.site.stack.outputs["ReleaseMachineArn"], name=name, input=json.dumps(request)
        )
        return name

    def ends(self, release: str, machine: str = "Release") -> dict[str, Any]:
        """How an execution ended; questions on the way are answered with yes, once each."""
        return driver.wait_for(self.world, self.environment, release, PATIENCE, machine)

    def ends_now(self, name: str, machine: str) -> dict[str, Any]:
        """DescribeExecution, whether it has ended or not."""
        return driver.execution(self.world, self.environment, name, machine)

    def publish(self, service: str, version: str, behaviour: str = "good") -> None:
        """Put a version into the registry."""
        chosen = OFTEN_FAILS if behaviour == "often-fails" else behaviour
        self.world.traffic.register(service, version, chosen)

    def image(self, service: str, version: str) -> str:
        return self.world.image(service, version)

    def stop(self, release: str) -> None:
        """Stop a release's execution by hand."""
        arn = driver.execution_arn(self.world, self.environment, release)
        self.client("stepfunctions").stop_execution(executionArn=arn)

    def follows(self, release: str, kind: str) -> None:
        """Wait for an entry that may come after the release's end, and for the status that follows from it."""
        status = STATUS.get(kind)
        eventually(lambda: kind in self.kinds(release) and status in (None, self.status(release)))

    def comes_to(self, release: str, kind: str) -> dict[str, Any]:
        return driver.wait_for_entry(self.world, self.environment, release, kind, PATIENCE)

    def answer(self, release: str, decision: str, person: str) -> tuple[int, Any]:
        return driver.answer(
            self.world, self.environment, release, decision, person=person, reason="scenario"
        )

    def approve_all(self, release: str) -> dict[str, Any]:
        """Say yes to every question until the release has ended; how it ended."""
        for _ in rounds(lambda: f"{release} did not end; timeline {self.kinds(release)}"):
            described = driver.execution(self.world, self.environment, release)
            if described["status"] != "RUNNING":
                break
            if self.status(release) == "awaiting_approval":
                self.answer(release, "approved", "platform-lead")
        return described

    def tables(self) -> list[dict[str, Any]]:
        """Every item of the control plane's table."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.site.stack.outputs["TableName"])
        )
        return [item for page in pages for item in page["Items"]]

    def logged(self) -> str:
        """Everything that the functions logged."""
        return "".join(path.read_text() for path in sorted((self.world.directory / "logs").glob("*.log")))

    def read(self, release: str) -> Release:
        return self.journal.read(release)

    def status(self, release: str) -> str:
        try:
            return self.read(release).status
        except Exception:  # noqa: BLE001 - not opened yet
            return "unknown"

    def kinds(self, release: str) -> list[str]:
        return [entry.kind for entry in self.journal.entries(release)]

    def reason(self, release: str, kind: str) -> str:
        return next(entry.reason for entry in self.journal.entries(release) if entry.kind == kind)

    def ask(self, machine: str, name: str, request: dict[str, Any], person: str = "developer") -> str:
        return driver.ask(self.world, self.environment, machine, name, request, person=person)

    def roll_back(self, service: str, name: str, **more: Any) -> str:
        request = {"service": service, "reason": "a person asks for it", **more}
        return self.ask("rollback", name, request, "platform-lead")

    def start_train(self, versions: Mapping[str, str]) -> str:
        name = f"train-{uuid.uuid4().hex[:8]}"
        return self.ask("train", name, self.cars(versions))

    def cars(self, versions: Mapping[str, str]) -> dict[str, Any]:
        """What a train is asked for with."""
        releases = [
            {"service": service, "image": self.image(service, version), "label": version}
            for service, version in versions.items()
        ]
        return {"releases": releases, "reason": "a protocol that all speak"}

    def follow_train(self, train: str) -> dict[str, Any]:
        """Answer every question of a train's releases with yes until the train has ended; how it did."""

        def over() -> Any:
            for service in SERVICES:
                if self.status(f"{train}-{service}") == "awaiting_approval":
                    self.answer(f"{train}-{service}", "approved", "platform-lead")
            described = self.ends_now(train, "Train")
            return described if described["status"] != "RUNNING" else None

        ended: dict[str, Any] = eventually(over)
        return ended

    def replicas(self, service: str, slot: str) -> int:
        namespace = self.world.catalog.environments[self.environment].namespace
        found = self.site.cluster.store.get(DEPLOYMENT, namespace, f"{service}-{slot}")
        return 0 if found is None else int(found["spec"].get("replicas", 1))

    def settled(self, service: str, version: str) -> ServiceRecord:
        """Wait until nothing is under way, then check everything that must hold at rest (I1-I5)."""
        for _ in rounds(lambda: f"{service} is not at rest: {self.records.get(service)}"):
            record = self.records.get(service)
            spare = [s for s in SLOTS if s != record.stable]
            at_rest = record.holder is None and record.rollback is None
            empty = all(not record.slots[s].running and self.replicas(service, s) == 0 for s in spare)
            if at_rest and (empty or record.window_until > time.time()):
                break
        assert record.stable is not None
        assert record.stable_version is not None
        assert record.stable_version.label == version, f"{service}: {record}"
        assert record.desired == all_to(record.stable)
        rule = driver.rule_weights(self.world, self.environment, record.rule)
        assert rule == record.weights_by_target_group()
        assert self.replicas(service, record.stable) >= 1
        return record

    def version(self, service: str) -> str:
        stable = self.records.get(service).stable_version
        assert stable is not None
        return stable.label


def shorter_steps(folder: Path) -> Path:
    """The first user's catalog with shorter judging, so that a test reaches every step within seconds."""
    shutil.copytree(FIXTURES, folder)
    file = folder / "strategies.yaml"
    strategies = yaml.safe_load(file.read_text())
    for step in strategies["canary"]["steps"]:
        if "judge" in step:
            step["judge"]["at_most"] = "8m"
        if "bake" in step:
            step["bake"]["at_most"] = "4m"
    strategies["canary"]["rollback_window"] = "25m"
    strategies["blue-green"]["rollback_window"] = "25m"
    file.write_text(yaml.safe_dump(strategies, sort_keys=False))
    return folder


@contextmanager
def running(
    folder: Path,
    environments: Iterable[str],
    services: Iterable[str],
    *,
    world: Callable[..., World] = World,
    catalog: Callable[[Path], Path] = shorter_steps,
) -> Iterator[World]:
    """A lab with these environments and services, whose libraries keep quiet."""
    for library in ("moto", "werkzeug"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    with world(folder / "lab", catalog=catalog(folder / "catalog")) as made:
        bring_up(made, environments, services)
        yield made


@contextmanager
def under_load(stage: Stage, rate: float) -> Iterator[Load]:
    """A steady load on every service of the stage."""
    hosts = stage.world.status()["environments"][stage.environment]["hosts"]
    load = Load(stage.site.port, [hosts[service] for service in SERVICES], rate)
    load.start()
    try:
        yield load
    finally:
        load.stop()


@contextmanager
def nobody_is_failed(stage: Stage, service: str, rate: float = 40.0) -> Iterator[None]:
    """Users ask a service all the time, and none of their requests may fail."""
    load = Load(stage.site.port, [stage.world.host(stage.environment, service)], rate)
    load.start()
    try:
        yield
    finally:
        samples = load.stop()
    assert samples
    assert [sample for sample in samples if sample.failed] == []
