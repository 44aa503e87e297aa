"""The product's catalog, as a lab has it: in the lab's account, in the lab's time, awake."""

from __future__ import annotations

from pathlib import Path

import msgspec

from candlefish.catalog.compile import scaled
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Environment
from lab.moto import ACCOUNT

# Share of failing requests that does not matter to the lab's judges.
NEGLIGIBLE = 0.01


def lab_catalog(source: Path, time_scale: float) -> Catalog:
    """The catalog in a folder, as this lab has it."""
    real = load(source)
    here = {name: _here(environment) for name, environment in real.environments.items()}
    return compressed(msgspec.structs.replace(real, environments=here), time_scale)


def compressed(catalog: Catalog, time_scale: float) -> Catalog:
    """The catalog in the lab's time.

    It holds fewer requests; so that a judge can tell from them, a rather rare error counts as negligible.
    """
    catalog = scaled(catalog, time_scale)
    policies = {
        name: msgspec.structs.replace(policy, negligible=max(policy.negligible, NEGLIGIBLE))
        for name, policy in catalog.policies.items()
    }
    return msgspec.structs.replace(catalog, policies=policies)


def _here(environment: Environment) -> Environment:
    """The environment in the lab's account, and awake whatever the clock says: only people put it to sleep."""
    schedule = environment.schedule
    if schedule is not None:
        schedule = msgspec.structs.replace(schedule, awake=("daily 00:00-24:00",), holidays=())
    return msgspec.structs.replace(environment, account=ACCOUNT, schedule=schedule)
