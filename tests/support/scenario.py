"""An environment in virtual time, and the questions that tests ask of it; `stage.Stage` asks a running lab the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from candlefish.release.journal import STATUS
from candlefish.release.manifests import slot_name
from candlefish.release.model import Release
from candlefish.service.model import SLOTS, Slot, all_to
from candlefish.service.record import ServiceRecord
from lab.simulator.machines import Execution
from lab.simulator.site import NotReached, Site
from lab.simulator.versions import Behaviour
from lab.simulator.weather import Strike
from tests.support.catalogs import FIXTURES

SERVICES = ("backend-api", "api-gateway", "website")
# What the registry has, beside versions that a test publishes itself: what each does.
VERSIONS: dict[str, str | Behaviour] = {
    "1.1.0": "good",
    "1.2.0": "good",
    "slow": "slow",
    "crash": "crash",
    "never-ready": "never-ready",
    "unhealthy": "unhealthy",
    "unpullable": "unpullable",
    "smoke-fails": "smoke-fails",
    # Passes a smoke test that is tried again, leaves the judge no doubt, and is nothing that alarms roll back for.
    "often-fails": Behaviour(error_rate=0.45),
}


class SimulatedStage:
    """One environment, all of whose services are up."""

    def __init__(self, site: Site) -> None:
        self.site, self.environment = site, site.environment
        self.records, self.journal = site.ports["records"], site.ports["journal"]
        # Users who came before the first versions were up got no answer.
        site.until(self._applied, "every node of the load balancer to know the first versions", within=600)
        behind = [service for service, record in self.records.stored.items() if record.balanced]
        self._early = {service: self._unanswered(service) for service in behind}

    def start(self, service: str, version: str, **more: Any) -> str:
        return self.site.release(service, version, **more)

    def start_raw(self, request: Any, name: str) -> str:
        """Start the release machine with any input; the execution's name."""
        return self.site.start("release", name, request)

    def ends(self, name: str, machine: str = "Release") -> dict[str, Any]:
        """How an execution ended, as DescribeExecution has it."""
        return _described(self.site.ended(name, machine.lower()))

    def ends_now(self, name: str, machine: str) -> dict[str, Any]:
        """The same, whether it has ended or not."""
        run = self.site.execution(name, machine.lower())
        assert run is not None
        return _described(run)

    def publish(self, service: str, version: str, behaviour: str = "good") -> None:
        """Put a version into the registry."""
        self.site.publish(service, version, VERSIONS.get(behaviour, behaviour))

    def stop(self, release: str) -> None:
        """Stop a release's execution by hand."""
        run = self.site.execution(release)
        assert run is not None
        self.site.machines.stop(run.arn)

    def follows(self, release: str, kind: str) -> None:
        """Wait for an entry that may come after the release's end, and for the status that follows from it."""
        status = STATUS.get(kind)
        self.site.until(
            lambda: kind in self.kinds(release) and status in (None, self.status(release)),
            f"{kind} of {release}",
        )

    def start_train(self, versions: Mapping[str, str]) -> str:
        return self.site.train(versions)

    def follow_train(self, train: str) -> dict[str, Any]:
        """Answer every question of a train's releases with yes until the train has ended; how it did."""

        def over() -> Execution | None:
            run = self.site.execution(train, "train")
            return run if run is not None and run.status != "RUNNING" else None

        def asked() -> list[str]:
            approvals = self.site.stores.approvals.stored
            return [n for n, a in approvals.items() if n.startswith(f"{train}-") and a.status == "pending"]

        while True:
            self.site.until(lambda: over() or asked(), f"a question or the end of {train}")
            if run := over():
                return _described(run)
            for release in asked():
                status, said = self.answer(release, "approved", "platform-lead")
                assert status == 200, said

    def without_service(self, service: str) -> int:
        """How many requests got no target's answer since the services are up: what no deployment may cause."""
        return self._unanswered(service) - self._early[service]

    def _applied(self) -> bool:
        rules = [record.rule for record in self.records.stored.values() if record.balanced]
        balancer = self.site.ground.balancer
        return all(node == self.site.weights(rule) for rule in rules for node in balancer.applied(rule))

    def _unanswered(self, service: str) -> int:
        flow = self.site.ground.traffic.flow(self.records.get(service).rule)
        assert flow.arrived > 0
        return flow.turned_away + flow.refused

    def comes_to(self, release: str, kind: str) -> None:
        """Wait until a release's timeline has an entry of a kind."""

        def there() -> bool:
            run = self.site.execution(release)
            found = kind in self.kinds(release)
            if not found and run is not None and run.status != "RUNNING":
                raise NotReached(f"{release} never came to {kind!r}; its timeline is {self.kinds(release)}")
            return found

        self.site.until(there, f"{kind} of {release}")

    def answer(self, release: str, decision: str, person: str) -> tuple[int, Any]:
        return self.site.answer(release, decision, person)

    def approve_all(self, release: str, person: str = "platform-lead") -> dict[str, Any]:
        """Say yes to every question until the release has ended; how it ended."""
        return _described(self.site.approved(release, person))

    def read(self, release: str) -> Release:
        found: Release = self.journal.read(release)
        return found

    def status(self, release: str) -> str:
        return self.read(release).status if release in self.journal.releases else "unknown"

    def kinds(self, release: str) -> list[str]:
        return self.site.kinds(release)

    def reason(self, release: str, kind: str) -> str:
        return next(entry.reason for entry in self.site.entries(release) if entry.kind == kind)

    def roll_back(self, service: str, name: str, **more: Any) -> str:
        return self.site.roll_back(service, id=name, **more)

    def strike(self, kind: Any, port: str, method: str | None = None, **more: Any) -> Strike:
        """Let the next calls of a port go wrong."""
        return self.site.forecast.strike(Strike(kind, port, method, **more))

    def replicas(self, service: str, slot: Slot) -> int:
        return self.site.replicas(slot_name(service, slot))

    def settled(self, service: str, version: str) -> ServiceRecord:
        """Wait until nothing is under way, then check everything that must hold at rest (I1-I5)."""

        def at_rest() -> ServiceRecord | None:
            record = self.site.record(service)
            spare = [s for s in SLOTS if s != record.stable]
            empty = all(not record.slots[s].running and self.replicas(service, s) == 0 for s in spare)
            still = record.holder is None and record.rollback is None
            return record if still and (empty or record.window_until > self.site.kernel.now()) else None

        record: ServiceRecord = self.site.until(at_rest, f"{service} at rest")
        assert record.stable is not None
        assert record.stable_version is not None
        assert record.stable_version.label == version
        assert record.desired == all_to(record.stable)
        assert self.site.weights(record.rule) == record.weights_by_target_group()
        assert self.replicas(service, record.stable) >= 1
        return record

    def version(self, service: str) -> str:
        stable = self.site.record(service).stable_version
        assert stable is not None
        return stable.label


def _described(run: Execution) -> dict[str, Any]:
    output = None if run.output is None else json.dumps(run.output)
    return {"status": run.status, "error": run.error, "cause": run.cause, "output": output}


@contextmanager
def simulated(
    environment: str = "production",
    services: tuple[str, ...] = SERVICES,
    *,
    catalog: Path = FIXTURES,
    seed: int = 1,
) -> Iterator[SimulatedStage]:
    """An environment with these services up, schedules firing, and users on their way."""
    with Site(environment, seed=seed, catalog=catalog) as site:
        site.bring_up(services)
        for service in services:
            for version, behaviour in VERSIONS.items():
                site.publish(service, version, behaviour)
        site.start_clockwork()
        yield SimulatedStage(site)
