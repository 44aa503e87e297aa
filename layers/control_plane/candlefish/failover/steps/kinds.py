"""The table of all steps, made from the rows."""

from __future__ import annotations

from types import ModuleType

from candlefish.failover.steps import application, cache, database
from candlefish.failover.steps.step import StepKind, by_kind


def rows_of(module: ModuleType) -> list[StepKind]:
    """Every row of a module, in its order."""
    return [value for value in vars(module).values() if isinstance(value, StepKind)]


KINDS: dict[str, StepKind] = by_kind(*rows_of(database), *rows_of(cache), *rows_of(application))
