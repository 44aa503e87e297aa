"""Steps in an order that makes sense, within what Step Functions can wait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from candlefish.catalog.model import Catalog, Duration, Strategy, StrategyStep
from candlefish.catalog.problems import CatalogProblem, Path

# Step Functions ends an execution after a year.
YEAR = Duration(365 * 86400)

_NEEDS_TWO_SLOTS = ("weight", "judge", "smoke")


def strategies(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name, strategy in catalog.strategies.items():
        here = ("strategies", name)
        yield from (found._replace(rests_on=here) for found in _of_one(here, strategy))


def _of_one(here: Path, strategy: Strategy) -> Iterator[CatalogProblem]:
    yield from (_rolling if strategy.in_place else _weighted)(here, strategy)
    for index, step in enumerate(strategy.steps):
        if step.approve and step.approve.within > YEAR:
            what = f"an approval of {step.approve.within} outlives the execution, which ends after 365d"
            yield CatalogProblem(
                (*here, "steps", index, "approve", "within"), what, "write 365d or less; a day is usual"
            )
    total = sum(_longest(step) for step in strategy.steps) + strategy.ready_within + strategy.hold_at_most
    if total > YEAR:
        what = f"all steps together may take {Duration(total)}, and an execution ends after 365d"
        yield CatalogProblem((*here, "steps"), what, "shorten the longest")


def _longest(step: StrategyStep) -> float:
    watch, asked = step.judge or step.bake, step.approve or step.smoke or step.hook
    return watch.at_most if watch else asked.within if asked else 0.0


def _rolling(here: Path, strategy: Strategy) -> Iterator[CatalogProblem]:
    for index, step in enumerate(strategy.steps):
        if step.kind in _NEEDS_TWO_SLOTS:
            yield CatalogProblem(
                (*here, "steps", index, step.kind),
                f"a rolling strategy updates in place, so there are no two versions to {step.kind}",
                "remove the step (bake, approve and hook remain), or write kind: canary",
            )
    if strategy.rollback_window:
        what = "a rolling strategy keeps no previous version at capacity"
        yield CatalogProblem(
            (*here, "rollback_window"), what, "remove rollback_window, or write kind: blue_green"
        )


def _weighted(here: Path, strategy: Strategy) -> Iterator[CatalogProblem]:
    weights = [(index, step.weight) for index, step in enumerate(strategy.steps) if step.weight is not None]
    for (_, before), (index, weight) in pairwise(weights):
        if weight <= before:
            what = f"weight {weight} does not follow {before}"
            yield CatalogProblem(
                (*here, "steps", index, "weight"), what, "let each weight be larger than the one before"
            )
    if not weights or weights[-1][1] != 100:
        last = f"the last weight is {weights[-1][1]}" if weights else "no step sets a weight"
        yield CatalogProblem(
            (*here, "steps"), f"{last}, so the version never takes over", "end with weight: 100"
        )
    between = [(index, weight) for index, weight in weights if 0 < weight < 100]
    if strategy.kind == "canary" and not between:
        what = "a canary needs a share of the traffic before all of it"
        yield CatalogProblem(
            (*here, "steps"), what, "add a step like weight: 10 and a judge, or write kind: blue_green"
        )
    if strategy.kind == "blue_green":
        for index, weight in between:
            what = f"a blue-green switch has no weight {weight}"
            yield CatalogProblem((*here, "steps", index, "weight"), what, "write 0 or 100, or kind: canary")
    weight_now = 0
    for index, step in enumerate(strategy.steps):
        weight_now = weight_now if step.weight is None else step.weight
        if step.judge and not 0 < weight_now < 100:
            what = f"at weight {weight_now} there is nothing to compare"
            yield CatalogProblem(
                (*here, "steps", index, "judge"), what, "put judge after a weight from 1 to 99"
            )
        if step.smoke and weight_now:
            what = f"smoke tests come after weight {weight_now}, when users already see the version"
            yield CatalogProblem((*here, "steps", index, "smoke"), what, "put smoke before the first weight")
