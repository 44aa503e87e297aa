"""Staging in virtual time, for tests of its nights; `night.Night` asks a running lab the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from candlefish.capacity.model import CapacityRecord
from lab.kube.kinds import AUTOSCALER, BUDGET, DEPLOYMENT, NODE, Kind
from tests.support.scenario import SimulatedStage, simulated

ENVIRONMENT = "staging"
SERVICES = ("backend-api", "website")


class SimulatedNight(SimulatedStage):
    """An environment, and what people say about its hours."""

    def say(self, action: str, until: str = "2h") -> tuple[int, Any]:
        """POST a command as a person; status and answer."""
        body = {"action": action, "until": until, "reason": "a test"}
        return self.site.post("command_capacity", body, "platform-lead")

    @property
    def record(self) -> CapacityRecord:
        found: CapacityRecord = self.site.ports["store"].get()
        return found

    def until(self, done: Callable[[CapacityRecord], bool], what: str) -> CapacityRecord:
        self.site.until(lambda: done(self.record), what)
        return self.record

    def phase(self, wanted: str) -> CapacityRecord:
        return self.until(lambda record: record.phase == wanted == record.goal, f"it is {wanted}")

    def picture(self) -> dict[str, Any]:
        """What sleep could have changed."""
        ground = self.site.ground
        found: dict[str, Any] = {"nodes": len(ground.cluster.store.list(NODE))}
        kinds: tuple[Kind, ...] = (DEPLOYMENT, AUTOSCALER, BUDGET)
        for kind in kinds:
            for thing in ground.cluster.store.list(kind, ground.namespace):
                found[f"{kind.kind}/{thing['metadata']['name']}"] = thing["spec"]
        for name, group in ground.nodegroups.groups.items():
            found[f"Nodegroup/{name}"] = group["scalingConfig"]
        for name, status in ground.databases.status.items():
            found[f"Database/{name}"] = status
        return copy.deepcopy(found)


@contextmanager
def staging() -> Iterator[SimulatedNight]:
    """Staging with two services up and nothing left of the releases that brought them."""
    with simulated(ENVIRONMENT, SERVICES) as made:
        night = SimulatedNight(made.site)
        for service in SERVICES:
            made.site.run(max(0.0, made.records.get(service).window_until - made.site.kernel.now()))
            made.settled(service, "1.0.0")
            # From then on a look at what is as it should be writes nothing.
            made.site.until(partial(rested, made, service), f"{service} was seen as it was intended")
        yield night


def rested(stage: SimulatedStage, service: str) -> bool:
    """Whether it was written down that the rule follows a service's record for good."""
    record = stage.records.get(service)
    return bool(record.settled_revision == record.intended_revision)
