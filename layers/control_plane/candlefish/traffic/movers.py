"""Who moves traffic, by the kind of service: the load balancer's rules, or the shares of Pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from candlefish.service.model import RecordMark, is_balanced
from candlefish.traffic.ports import NOBODYS, Intention, Rules, RuleTags, TargetHealth


class Movers:
    """`traffic.ports.Rules` for services of every kind; the cluster is looked for when something is first asked of it."""

    def __init__(self, balancer: Rules, shares: Callable[[], Rules]) -> None:
        self._balancer, self._find_shares = balancer, shares

    @cached_property
    def _shares(self) -> Rules:
        return self._find_shares()

    def _of(self, arn: str) -> Rules:
        return self._balancer if is_balanced(arn) else self._shares

    def read(self, rule: str) -> dict[str, int]:
        return self._of(rule).read(rule)

    def look_ahead(self, rule: str) -> None:
        self._of(rule).look_ahead(rule)

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        self._of(rule).write(rule, weights, intention)

    def health(self, target_group: str) -> TargetHealth:
        return self._of(target_group).health(target_group)

    def stamp(self, rule: str, mark: RecordMark) -> None:
        self._of(rule).stamp(rule, mark)

    def listed(self, listener: str) -> list[dict[str, Any]]:
        return self._of(listener).listed(listener)

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        found: dict[str, RuleTags] = {}
        for balanced in (True, False):
            if some := [rule for rule in rules if is_balanced(rule) == balanced]:
                found |= self._of(some[0]).tags(some)
        return found
