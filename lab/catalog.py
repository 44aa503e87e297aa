"""The product's catalog, as a lab has it: in the lab's account, in the lab's time, awake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from candlefish.catalog.compile import scaled
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Console, Duration, Environment, Smoke, Strategy
from lab.moto import ACCOUNT

# Share of failing requests that does not matter to the lab's judges.
NEGLIGIBLE = 0.01
# What a lab leaves at least of the time after which a release gives up, in seconds: a machine that is busy is no reason.
# Nobody waits for it but who releases a version that does not work.
READY_WITHIN, SMOKE_WITHIN = 45.0, 30.0


def lab_catalog(source: Path, time_scale: float) -> Catalog:
    """The catalog in a folder, as this lab has it."""
    real = load(source)
    here = {name: _here(environment) for name, environment in real.environments.items()}
    return compressed(msgspec.structs.replace(real, environments=here), time_scale)


def compressed(catalog: Catalog, time_scale: float) -> Catalog:
    """The catalog in the lab's time.

    It holds fewer requests; so that a judge can tell from them, a rather rare error counts as negligible.
    """
    real, catalog = catalog, scaled(catalog, time_scale)
    strategies = {
        name: _patient(real.strategies[name], strategy) for name, strategy in catalog.strategies.items()
    }
    policies = {
        name: msgspec.structs.replace(policy, negligible=max(policy.negligible, NEGLIGIBLE))
        for name, policy in catalog.policies.items()
    }
    return msgspec.structs.replace(catalog, policies=policies, strategies=strategies)


def _patient(real: Strategy, strategy: Strategy) -> Strategy:
    """A strategy in the lab's time that gives up no sooner than a busy machine needs, and no later than the real one."""
    steps = tuple(
        msgspec.structs.replace(
            step, smoke=Smoke(_least(step.smoke.within, SMOKE_WITHIN, before.smoke.within))
        )
        if step.smoke is not None and before.smoke is not None
        else step
        for step, before in zip(strategy.steps, real.steps, strict=True)
    )
    return msgspec.structs.replace(
        strategy,
        steps=steps,
        ready_within=_least(strategy.ready_within, READY_WITHIN, real.ready_within),
    )


def _least(now: float, least: float, most: float) -> Duration:
    return Duration(min(max(now, least), most))


def _here(environment: Environment) -> Environment:
    """The environment in the lab's account, and awake whatever the clock says: only people put it to sleep."""
    schedule = environment.schedule
    if schedule is not None:
        schedule = msgspec.structs.replace(schedule, awake=("daily 00:00-24:00",), holidays=())
    return msgspec.structs.replace(environment, account=ACCOUNT, schedule=schedule)


# Groups of the lab's issuer, and who is there beside the catalog's people: somebody who may look, and somebody who may
# nothing.
READERS, OPERATORS, APPROVERS = "readers", "operators", "approvers"
STRANGERS = {
    "visitor": {"name": "visitor", "groups": [READERS]},
    "stranger": {"name": "stranger", "groups": []},
}


def signed_in_by(catalog: Catalog, issuer: str, client: str) -> Catalog:
    """The catalog with the lab's issuer in every environment; everybody is called there what the catalog calls them."""
    console = Console(
        issuer=issuer, client=client, reader=(READERS,), operator=(OPERATORS,), approver=(APPROVERS,)
    )
    return msgspec.structs.replace(
        catalog,
        environments={
            name: msgspec.structs.replace(environment, console=console)
            for name, environment in catalog.environments.items()
        },
        people={name: msgspec.structs.replace(person, oidc=name) for name, person in catalog.people.items()},
    )


def members(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """What the lab's issuer says of everybody."""
    return {
        name: {"name": name, "groups": [APPROVERS if person.approver else OPERATORS]}
        for name, person in catalog.people.items()
    } | STRANGERS
