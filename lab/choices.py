"""What scenes, tools and days play with, chosen from a catalog by what it is, never by its name."""

from __future__ import annotations

from candlefish.catalog.model import Catalog, Environment, Service
from candlefish.errors import InvalidInput


def judged(catalog: Catalog) -> Environment:
    """The environment whose releases are judged and approved: production, or the first other one.

    Raises
    ------
    InvalidInput
        No environment has a strategy that judges and asks.
    """
    for environment in sorted(
        catalog.environments.values(), key=lambda each: (not each.production, each.name)
    ):
        steps = catalog.strategies[environment.strategy].steps
        if any(step.judge for step in steps) and any(step.approve for step in steps):
            return environment
    raise InvalidInput(
        "no environment of the catalog has a strategy with a judge step and an approve step; this needs one"
    )


def _balanced(catalog: Catalog) -> list[Service]:
    return [each for each in catalog.services.values() if each.balanced]


def alone(catalog: Catalog) -> str:
    """A service behind a load balancer that can be released by itself: it calls no other, where there is such.

    Raises
    ------
    InvalidInput
        No service is behind a load balancer.
    """
    balanced = _balanced(catalog)
    if not balanced:
        raise InvalidInput("no service of the catalog is behind a load balancer; this needs one (kind: web)")
    return next((each for each in balanced if not each.depends_on), balanced[0]).name


def bare(catalog: Catalog) -> str:
    """A service behind a load balancer that starts without a secret, where there is such; else `alone`."""
    balanced = _balanced(catalog)
    return next((each.name for each in balanced if not each.secrets), "") or alone(catalog)


def approver(catalog: Catalog) -> str:
    """The first person who may approve."""
    return next(person.name for person in catalog.people.values() if person.approver)


def second_approver(catalog: Catalog) -> str:
    """Another person who may approve, for what two have to.

    Raises
    ------
    InvalidInput
        There is one approver alone.
    """
    others = [person.name for person in catalog.people.values() if person.approver][1:]
    if not others:
        raise InvalidInput(
            "people.yaml names no second person with approver: true; nobody approves what they asked for"
        )
    return others[0]


def requester(catalog: Catalog) -> str:
    """Who asks for releases: nobody's approver where there is such a person, and never `approver`."""
    others = [person for person in catalog.people.values() if person.name != approver(catalog)]
    return min(others, key=lambda person: person.approver).name


def recovering(catalog: Catalog) -> Environment:
    """The environment that fails over out of its region: production, or the first other one.

    Raises
    ------
    InvalidInput
        None has a recovery region.
    """
    found = [each for each in catalog.environments.values() if each.recovery_region]
    if not found:
        raise InvalidInput("no environment of the catalog has a recovery_region; this needs one")
    return min(found, key=lambda each: (not each.production, each.name))


def two(catalog: Catalog) -> tuple[str, str]:
    """Two services behind a load balancer: `alone`, and one that calls it, where there is such.

    Raises
    ------
    InvalidInput
        There are fewer.
    """
    first = alone(catalog)
    others = [each for each in _balanced(catalog) if each.name != first]
    if not others:
        raise InvalidInput("one service of the catalog alone is behind a load balancer; this needs two")
    return first, min(others, key=lambda each: first not in each.depends_on).name


def asleep(catalog: Catalog) -> tuple[str, ...]:
    """The environments that sleep by a schedule.

    Raises
    ------
    InvalidInput
        None has one.
    """
    found = tuple(each.name for each in catalog.environments.values() if each.schedule)
    if not found:
        raise InvalidInput(
            "no environment of the catalog has a schedule: none of them sleeps, and this needs one"
        )
    return found


def builder(catalog: Catalog) -> tuple[str, str, str] | None:
    """Who builds the images: repository, workflow and ref that the catalog's gates ask for; None where they ask for none."""
    for environment in sorted(catalog.environments.values(), key=lambda each: not each.production):
        if (gates := environment.gates) and gates.sources and gates.workflows:
            branch = gates.branches[0] if gates.branches else "main"
            return gates.sources[0], gates.workflows[0], f"refs/heads/{branch}"
    return None
