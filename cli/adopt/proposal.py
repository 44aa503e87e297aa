"""What is proposed: values for the catalog, each with what it was guessed from and whether that is sure."""

from __future__ import annotations

from typing import Any

import msgspec


class Guess(msgspec.Struct, frozen=True):
    """A value, and the words for where it is from. One that is not `sure` wants a person's look."""

    value: Any
    why: str
    sure: bool = True


class ServiceProposal(msgspec.Struct, frozen=True):
    """A service of the catalog. `source` is the workload that it is today (`Deployment shop/cart`), `notes` are lines
    that stand in the catalog as comments, and `image` what runs now, by digest where a Pod says it."""

    name: str
    source: str
    fields: dict[str, Guess]
    notes: tuple[str, ...] = ()
    image: str = ""
    # The rule that leads to it today, and who keeps that rule: the namespace/name of an Ingress, or nobody's.
    rule: str = ""
    ingress: str = ""
    balancer: str = ""


class Obstacle(msgspec.Struct, frozen=True):
    """What is missing or in the way of something, and what to do about it. One that `blocks` has to be mended first."""

    about: str
    what: str
    do: str
    blocks: bool = False


class Step(msgspec.Struct, frozen=True):
    """A step of the way: why it is gone, and the commands, which can be run as they stand."""

    title: str
    words: str
    commands: str = ""


class Proposal(msgspec.Struct, frozen=True):
    """All of it. `parameters` are those of the stack; empty values are placeholders."""

    environment: str
    services: tuple[ServiceProposal, ...]
    fields: dict[str, Guess]
    people: dict[str, dict[str, Any]]
    preset: Guess
    # Whether workers count their jobs as the preset `worker` reads them.
    jobs: Guess
    # Alerts that Prometheus has and a rule of the catalog names: alert name, and why it acts.
    alerts: tuple[str, ...]
    parameters: dict[str, Guess]
    obstacles: tuple[Obstacle, ...] = ()
    steps: tuple[Step, ...] = ()
