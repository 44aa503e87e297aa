"""Tell each region with a control plane which version was promoted, so that either can bring it up alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from candlefish.service.model import Version
from candlefish.service.ports import ServiceRecords, StableVersions


class Promotion(msgspec.Struct, frozen=True):
    """What a `release.promoted` event says: which service was promoted, and when (epoch seconds)."""

    service: str
    at: float


class PromotedEvent(msgspec.Struct, frozen=True):
    """A `release.promoted` event."""

    detail: Promotion


class CarriedVersions:
    """`service.ports.StableVersions` of the other region.

    `carry` makes of a version one that the other region can deploy alone: whatever it needs is there before
    the other region knows of it, whoever writes it there.
    """

    def __init__(self, known: StableVersions, carry: Callable[[Version], Version]) -> None:
        self._known = known
        self._carry = carry

    def read(self, service: str) -> Version | None:
        return self._known.read(service)

    def write(self, service: str, version: Version, at: float) -> None:
        self._known.write(service, self._carry(version), at)


def remember_stable(
    promotion: Promotion, *, records: ServiceRecords, known: Iterable[StableVersions | None]
) -> None:
    """Write a promoted version down in each region that is known, so that either can bring it up alone."""
    version = records.get(promotion.service).stable_version
    for versions in known:
        if version is not None and versions is not None:
            versions.write(promotion.service, version, promotion.at)
