"""The whole catalog, and looking things up in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from candlefish.catalog.model.calendars import Calendar
from candlefish.catalog.model.environments import Environment
from candlefish.catalog.model.judging import JudgePolicy
from candlefish.catalog.model.people import Person
from candlefish.catalog.model.responses import Responses
from candlefish.catalog.model.scalars import Model, Name
from candlefish.catalog.model.services import Service
from candlefish.catalog.model.strategies import Strategy
from candlefish.errors import UnknownService

T = TypeVar("T")


def _look_up(things: dict[str, T], kind: str, name: str) -> T:
    if name in things:
        return things[name]
    raise UnknownService(f"the catalog has no {kind} {name!r}; {suggest(name, things)}")


def suggest(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown name: the nearest known one, or all of them."""
    from difflib import get_close_matches  # Only whoever made a mistake pays for the import.

    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it is one of {', '.join(names)}" if names else "there are none"


class Catalog(Model, frozen=True):
    """Everything, validated and cross-checked. The look-ups raise UnknownService."""

    services: dict[Name, Service]
    environments: dict[Name, Environment]
    strategies: dict[str, Strategy]
    policies: dict[str, JudgePolicy]
    people: dict[str, Person] = {}
    calendars: dict[Name, Calendar] = {}
    responses: Responses = Responses()

    def service(self, name: str) -> Service:
        return _look_up(self.services, "service", name)

    def environment(self, name: str) -> Environment:
        return _look_up(self.environments, "environment", name)

    def strategy(self, environment: str) -> Strategy:
        """The strategy that an environment releases with."""
        return _look_up(self.strategies, "strategy", self.environment(environment).strategy)

    def policy(self, name: str) -> JudgePolicy:
        return _look_up(self.policies, "judge policy", name)
