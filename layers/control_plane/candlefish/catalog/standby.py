"""Whether the same control plane stands by in another region, as the catalog declares it."""

from __future__ import annotations

from candlefish.catalog.model import Environment

# What an operator does about a region that has none.
STAND_BY = (
    "write `standby: true` under `recovery` in catalog/environments/, deploy the stack in both regions, and "
    "onboard the services there (docs/recovery.md)"
)


def peer_region(environment: Environment, here: str) -> str | None:
    """Where the control plane runs that takes over from the one `here`, or that this one takes over from.

    None at home when the catalog declares no `recovery.standby`: then nobody there needs to be told, or
    asked. A stack that runs elsewhere took over from the one at home, so that one is always there.
    """
    if here != environment.region:
        return environment.region
    return environment.recovery_region if environment.recovery.standby else None


def no_standby(environment: Environment) -> str:
    """What an operator is told where a failover to the recovery region would find nobody."""
    where = environment.recovery_region
    return (
        f"the catalog declares no control plane in {where} (recovery.standby of {environment.name}), so nothing "
        f"tells {where} which versions are stable"
    )
