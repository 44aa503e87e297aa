"""From facts to a proposal. Pure."""

from __future__ import annotations

from typing import Any

from cli.adopt import guess, obstacles, steps, surroundings
from cli.adopt.facts import Facts
from cli.adopt.proposal import Proposal
from cli.adopt.write import ACTING


def propose(
    environment: str,
    facts: Facts,
    *,
    approvers: tuple[str, ...] = (),
    email: str = "",
    minimal: bool = False,
    again: str = "candlefish init",
    only: tuple[str, ...] = (),
) -> Proposal:
    """What `init` proposes for one environment.

    `minimal` takes one service: the one behind a load balancer that has most replicas; `only` those that are named.
    `again` is the command that init was called with.
    """
    found = guess.services(facts)
    if only:
        found = [each for each in found if each.name in only]
    elif minimal:
        first = sorted(
            found,
            key=lambda each: (
                each.fields["kind"].value != "web",
                -each.fields["replicas"].value["min"],
                each.name,
            ),
        )
        found = list(first[:1])
    names = {each.name for each in found}
    fields = surroundings.environment(environment, facts)
    people: dict[str, Any] = surroundings.people(facts, approvers)
    alerts = facts.prometheus.alerts if facts.prometheus else ()
    return Proposal(
        environment=environment,
        services=tuple(guess.only_calling(each, names) for each in found),
        fields=fields,
        people=people,
        preset=surroundings.preset(facts),
        jobs=surroundings.jobs(facts),
        alerts=tuple(each for each in alerts if each in ACTING),
        parameters=surroundings.parameters(environment, facts, email),
        obstacles=tuple(obstacles.find(environment, facts, found, people)),
        steps=tuple(steps.way(environment, facts, found, fields, people, again)),
    )
