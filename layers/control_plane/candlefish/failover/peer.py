"""The same control plane in the other region: whether there is one, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from candlefish.catalog.model import Environment
from candlefish.failover.ports import StableVersions
from candlefish.service.model import Version
from candlefish.service.ports import ServiceRecords


def peer_region(environment: Environment, here: str) -> str | None:
    """Where the control plane runs that takes over from the one `here`, or that this one takes over from.

    None at home when the catalog declares no `recovery.standby`: then nobody there needs to be told, or
    asked. A stack that runs elsewhere took over from the one at home, so that one is always there.
    """
    if here != environment.region:
        return environment.region
    return environment.recovery_region if environment.recovery.standby else None


class Carried:
    """`recovery.ports.StableVersions` of the other region.

    `carry` makes of a version one that the other region can deploy alone: whatever it needs is there before
    the other region knows of it, whoever tells it.
    """

    def __init__(self, known: StableVersions, carry: Callable[[Version], Version]) -> None:
        self._known = known
        self._carry = carry

    def read(self, service: str) -> Version | None:
        return self._known.read(service)

    def write(self, service: str, version: Version, at: float) -> None:
        self._known.write(service, self._carry(version), at)


def no_standby(environment: Environment) -> str:
    """What an operator is told where a failover to the recovery region would find nobody."""
    where = environment.recovery_region
    return (
        f"the catalog declares no control plane in {where} (recovery.standby of {environment.name}), so nothing "
        f"tells {where} which versions are stable"
    )


# What to do about it.
STAND_BY = (
    "write `standby: true` under `recovery` in catalog/environments/, deploy the stack in both regions, and "
    "onboard the services there (docs/recovery.md)"
)


class Promotion(msgspec.Struct, frozen=True):
    """What a `release.promoted` event says: which service was promoted, and when (epoch seconds)."""

    service: str
    at: float


class Promoted(msgspec.Struct, frozen=True):
    """A `release.promoted` event."""

    detail: Promotion


def remember_stable(
    promotion: Promotion, *, records: ServiceRecords, known: Iterable[StableVersions | None]
) -> None:
    """Write a promoted version down in each region that is known, so that either can bring it up alone."""
    version = records.get(promotion.service).stable_version
    for versions in known:
        if version is not None and versions is not None:
            versions.write(promotion.service, version, promotion.at)
