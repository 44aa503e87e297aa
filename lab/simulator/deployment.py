"""The stack of an environment with its functions, loaded once, and what functions look up of their process."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from candlefish import handler, sqs, telemetry
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Duration, Environment, Job, Replicas, ScratchSettings
from candlefish.traffic.fittings import balancers_needed
from lab import CATALOG, ROOT
from lab.choices import alone
from lab.simulator import wiring
from lab.simulator.functions import Code
from lab.simulator.kinds import with_kinds
from lab.simulator.template import ACCOUNT, Machine, Stack, read

# Functions whose world is not in memory: what is in a database, and what AWS shows of backups.
WITHOUT = ("probe_database", "audit_backups")
MIGRATION = Job(name="migrate", command=("migrate",), within=Duration(300))
PARAMETERS = {
    "ClusterName": "candlefish",
    "ListenerArns": f"arn:aws:elasticloadbalancing:us-west-2:{ACCOUNT}:listener/app/candlefish/50dc6c495c0c9188/0467ef3c8400ae65",
    "VpcId": "vpc-1",
}


@cache
def _catalog(folder: Path) -> Catalog:
    real = load(folder)
    here = {name: _here(each) for name, each in real.environments.items()}
    return msgspec.structs.replace(real, environments=here)


def _here(environment: Environment) -> Environment:
    """The environment in the simulator's account, with a place for the drills of its backups."""
    place = ScratchSettings(subnet_group="isolated", security_group="sg-0123456789abcdef0")
    databases = tuple(msgspec.structs.replace(each, scratch=place) for each in environment.databases)
    return msgspec.structs.replace(environment, account=ACCOUNT, databases=databases)


def grown(catalog: Catalog, services: int) -> Catalog:
    """A catalog with so many services, all like one that is in it."""
    like = catalog.services[alone(catalog)]
    registry = like.image.rpartition("/")[0]
    names = [f"service-{number:04}" for number in range(services)]
    made = {
        name: msgspec.structs.replace(
            like,
            name=name,
            host=f"{name}.{like.host}",
            image=f"{registry}/{name}",
            replicas=Replicas(min=1, max=3),
            secrets=(),
            depends_on=(),
        )
        for name in names
    }
    return msgspec.structs.replace(catalog, services=made)


def listeners_for(services: int) -> list[str]:
    """The listeners of as many load balancers as so many services need."""
    first: str = PARAMETERS["ListenerArns"]
    numbers = range(1, balancers_needed(services))
    return [first, *(first.replace("/candlefish/", f"/candlefish-{number}/") for number in numbers)]


@cache
def deployed(
    environment: str, folder: Path, services: int = 0, *, kinds: bool = False, migrated: str = ""
) -> tuple[Catalog, Stack, Code]:
    """The stack of an environment with its functions, loaded once for all runs in this process.

    With a number of `services`, these instead of the catalog's, behind as many load balancers as they need; with
    `kinds`, services of every kind. Releases of the service that is `migrated` run a migration before anything of
    their version.
    """
    catalog = with_kinds(_catalog(folder)) if kinds else _catalog(folder)
    if migrated:
        service = msgspec.structs.replace(catalog.services[migrated], jobs=(MIGRATION,))
        catalog = msgspec.structs.replace(catalog, services={**catalog.services, migrated: service})
    declared = catalog.environments[environment]
    parameters = {**PARAMETERS, "Production": "yes" if declared.production else "no"}
    if services:
        catalog = grown(catalog, services)
        parameters |= {"ListenerArns": ",".join(listeners_for(services))}
    stack = read(ROOT, environment, declared.region, parameters)
    functions = {arn: each for arn, each in stack.functions.items() if each.name not in WITHOUT}
    schedules = tuple(each for each in stack.schedules if each.to.target in functions)
    stack = msgspec.structs.replace(stack, functions=functions, schedules=schedules)
    with as_deployed(environment, Log()):
        code = Code(ROOT, stack, lambda boundary: wiring.accessors(stack, catalog, boundary))
    return catalog, stack, code


def definition_of(machine: Machine) -> dict[str, Any]:
    """The definition that a machine runs with."""
    return machine.definition


def every_stack() -> Stack:
    """The stack of an environment that has every machine."""
    environment = next(iter(_catalog(CATALOG).environments.values()))
    return read(ROOT, environment.name, environment.region, {**PARAMETERS, "Production": "no"})


@contextmanager
def as_deployed(environment: str, log: Log) -> Iterator[None]:
    """What functions look up of their process while they run; what was there comes back."""
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {"ENVIRONMENT": environment}))
        for module in (handler, sqs, telemetry):
            stack.enter_context(patch.object(module, "logger", log))
        yield


class Log:
    """The functions' log: what is an accident of our own is kept, nobody reads the rest."""

    def __init__(self) -> None:
        self.bugs: list[str] = []

    def clear_state(self) -> None: ...

    def append_keys(self, **keys: object) -> None: ...

    def info(self, text: str, *args: object) -> None: ...

    def warning(self, text: str, *args: object) -> None: ...

    def error(self, text: str, *args: object, exc_info: BaseException | None = None) -> None:
        self.bugs.append(f"{text % args}: {exc_info!r}")

    def exception(self, text: str, *args: object) -> None:
        trace = traceback.format_exc().strip().splitlines()
        self.bugs.append(f"{text % args}: {trace[-1]} ({trace[-3].strip()})")
