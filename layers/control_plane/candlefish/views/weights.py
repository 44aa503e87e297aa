"""The weights that the load balancer has, beside those that are wanted; one call a listener, kept some seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from candlefish.errors import ControlPlaneError
from candlefish.ports import Now
from candlefish.service.record import ServiceRecord
from candlefish.traffic.rules import weights_of
from candlefish.views.ports import ListedRules

# A page asks once a second; the load balancer's calls are few and belong to those who shift.
KEPT = 5.0


class Weighed(msgspec.Struct, frozen=True):
    """Real weights by target group, None where nobody was asked or nobody could tell; and why."""

    weights: Mapping[str, int] | None = None
    unknown: tuple[str, ...] = ()


def weigh(record: ServiceRecord, rules: ListedRules | None) -> Weighed:
    """The weights of a service as the load balancer has them."""
    if rules is None:
        return Weighed()
    try:
        found = next((each for each in rules.listed(record.listener) if each["RuleArn"] == record.rule), None)
        if found is None:
            return Weighed(unknown=(f"the rule of {record.service} is not on its listener",))
        return Weighed(weights_of(found))
    except ControlPlaneError as error:
        return Weighed(unknown=(f"the weights that {record.service} really has could not be read: {error}",))


class RecentRules:
    """`views.ports.ListedRules`, as they were at most some seconds ago; `begin` is told before somebody is asked."""

    def __init__(
        self, rules: ListedRules, now: Now, kept: float = KEPT, begin: Callable[[], None] = lambda: None
    ) -> None:
        self._rules, self._now, self._kept, self._begin = rules, now, kept, begin
        self._listed: dict[str, tuple[float, list[dict[str, Any]]]] = {}

    def listed(self, listener: str) -> list[dict[str, Any]]:
        at = self._now()
        before = self._listed.get(listener)
        if before is None or not 0 <= at - before[0] < self._kept:
            self._begin()
            before = self._listed[listener] = (at, self._rules.listed(listener))
        return before[1]
