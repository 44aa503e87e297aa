"""The one service that is explored, and the stack that it is released by."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import msgspec

from candlefish.release.record import AskedFreezes
from candlefish.service.model import Slot
from candlefish.service.record import ServiceRecord
from lab import ROOT
from lab.simulator.deployment import PARAMETERS
from lab.simulator.template import Stack, read
from tests.support.catalogs import catalog
from tests.support.service import fresh

ENVIRONMENT, SERVICE, NAMESPACE = "production", "backend-api", "example-prod"
# Its record before anything was released.
FIRST = fresh(SERVICE, ENVIRONMENT)
RULE = FIRST.rule
GROUPS: dict[str, Slot] = {slot.target_group: name for name, slot in FIRST.slots.items()}
# Two looks of a rollback at its slot, so that few ticks of the clock pass it by.
CLUSTER_WRITERS_LIVE = "30"

# Percent of the traffic that a canary has where experiments are explored.
EXPERIMENT_AT = 10

# Who steers releases: an approver, who asked for none of them.
LEAD = "platform-lead"


class Plan(NamedTuple):
    """What was put into a release's plan: how many experiments, and whether a person promotes it now."""

    experiments: int = 0
    promoted: bool = False


# When explorations begin, epoch seconds.
FIRST_MOMENT = 10_000.0

# What an actor asks of the world: what, and about what.
Op = tuple[Any, ...]
encode = msgspec.json.Encoder(order="deterministic").encode
decode = msgspec.json.decode


@cache
def record_of(stored: bytes) -> ServiceRecord:
    """A record, as the table keeps it, as a value."""
    return decode(stored, type=ServiceRecord)


@cache
def freezes_of(stored: bytes) -> AskedFreezes:
    """The freezes that people asked for, as the table keeps them, as a value."""
    return decode(stored, type=AskedFreezes) if stored else AskedFreezes(ENVIRONMENT)


@cache
def stack() -> Stack:
    """What template.yaml makes for the environment."""
    parameters = {**PARAMETERS, "Production": "yes", "ClusterWriterTimeoutSeconds": CLUSTER_WRITERS_LIVE}
    return read(ROOT, ENVIRONMENT, catalog().environments[ENVIRONMENT].region, parameters)


@cache
def arn_of(machine: str, name: str) -> str:
    """An execution's ARN, by its machine's short name."""
    return f"{stack().machines[machine].arn.replace(':stateMachine:', ':execution:')}:{name}"
