"""What shifting traffic needs from the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class TargetHealth(msgspec.Struct, frozen=True):
    """Targets of one target group by state, as the load balancer sees them."""

    healthy: int = 0
    initial: int = 0
    unhealthy: int = 0
    draining: int = 0
    unused: int = 0
    # The load balancer's own words for why a target is not healthy.
    reason: str = ""


class Rules(Protocol):
    """Listener rules and target groups of the load balancer."""

    def read(self, rule: str) -> dict[str, int]:
        """Weight by target group ARN."""

    def write(self, rule: str, weights: Mapping[str, int]) -> None:
        """Replace the whole weight vector; target group stickiness is switched off in the same call."""

    def health(self, target_group: str) -> TargetHealth:
        """Health of the targets of one target group."""
