"""What happens on a day, drawn from a seed before it begins: what people ask for, what breaks, what the weather is.

A plan is a list of values, so that a failing day can be told, repeated, and shrunk by leaving things out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

HOUR = 3600.0
# What a new version can be like (`lab.simulator.versions`), and how often it is.
BEHAVIOURS = {
    "good": 12,
    "bad": 3,
    "subtle": 2,
    "broken": 1,
    "slow": 2,
    "cold": 1,
    "late": 2,
    "crash": 1,
    "crash-late": 1,
    "never-ready": 1,
    "unhealthy": 1,
    "unpullable": 1,
    "unschedulable": 1,
    "smoke-fails": 1,
}
PEOPLE = ("developer", "platform-lead", "product-lead")


class Happening(msgspec.Struct, frozen=True, tag=True):
    """Something that happens `at` seconds after the day began."""

    at: float


class ReleaseAsked(Happening, frozen=True):
    """Somebody starts a release of a new version; or of the version of the release before, when `again`."""

    service: str
    behaviour: str
    by: str
    again: bool = False
    break_glass: str = ""


class TrainAsked(Happening, frozen=True):
    """Somebody starts a train; behaviours by service."""

    cars: dict[str, str]
    by: str


class RollbackAsked(Happening, frozen=True):
    """Somebody takes a service back by hand."""

    service: str
    by: str


class ExecutionStopped(Happening, frozen=True):
    """Somebody stops an execution in the console: the newest of a service's that still runs."""

    service: str
    machine: Literal["release", "rollback", "watch"]


class AlertFired(Happening, frozen=True):
    """Alertmanager delivers an alert, `repeats` times, and that it is over after `lasts` seconds."""

    name: str
    service: str
    lasts: float
    repeats: int


class PodsLost(Happening, frozen=True):
    """A node is lost: some Pods of a service's stable slot are gone and come back elsewhere."""

    service: str
    pods: int


class BugWoke(Happening, frozen=True):
    """The version that serves begins to fail, and goes on for `lasts` seconds."""

    service: str
    errors: float
    lasts: float


class WeatherTurned(Happening, frozen=True):
    """For `lasts` seconds calls of a port (`*` for all) go wrong in one way, each with a probability."""

    port: str
    kind: str
    probability: float
    lasts: float
    # How slow or how late.
    seconds: float = 0.0


class PostTurned(Happening, frozen=True):
    """For `lasts` seconds events and messages are delayed, doubled or refused."""

    kind: Literal["late", "twice", "refused"]
    probability: float
    lasts: float


class HoursAsked(Happening, frozen=True):
    """Somebody wants the environment awake for some more hours, or asleep now."""

    command: Literal["wake", "sleep", "cancel"]
    hours: float
    by: str


class FailoverAsked(Happening, frozen=True):
    """Somebody asks for a failover of a database or a cache inside the region."""

    target: str
    by: str


class Day(msgspec.Struct, frozen=True):
    """A day of one environment. `start` is epoch seconds, `hours` how long it is watched."""

    seed: int
    environment: str
    start: float
    hours: float
    services: tuple[str, ...]
    happenings: tuple[
        ReleaseAsked
        | TrainAsked
        | RollbackAsked
        | ExecutionStopped
        | AlertFired
        | PodsLost
        | BugWoke
        | WeatherTurned
        | PostTurned
        | HoursAsked
        | FailoverAsked,
        ...,
    ]


# Ports whose calls can go wrong, and how often each is chosen.
PORTS = ("records", "rules", "cluster", "executions", "bus", "journal", "source", "guards", "*")
KINDS = ("throttled", "refused", "lost", "late", "slow", "dies_before", "dies_after")
ALERTS = ("ServiceDown", "ErrorRateCritical", "ErrorRateHigh", "LatencyHigh")


def draw(seed: int) -> Day:
    """The day of a seed."""
    chance = random.Random(f"day/{seed}")
    environment = chance.choices(("production", "staging", "development"), (6, 3, 2))[0]
    services = tuple(sorted(chance.sample(("api-gateway", "backend-api", "website"), chance.randint(1, 3))))
    # Two years of days: weekdays, weekends, changes of daylight saving time, the freeze at the year's end.
    first = datetime(2026, 9, 1, 6, tzinfo=UTC)
    start = first + timedelta(days=chance.randrange(730), minutes=chance.randrange(720))
    hours = chance.choice((3.0, 4.0, 6.0)) if environment == "production" else chance.choice((4.0, 14.0))
    makers = _SLEEPING if environment != "production" else _ALWAYS
    count = chance.randint(2, 4) + round(hours)
    kinds = chance.choices([make for make, _ in makers], [weight for _, weight in makers], k=count)
    happenings = [make(chance, _moment(chance, hours), services) for make in kinds]
    happenings.sort(key=lambda each: each.at)
    return Day(seed, environment, start.timestamp(), hours, services, tuple(happenings))  # type: ignore[arg-type]


def _moment(chance: random.Random, hours: float) -> float:
    return round(chance.uniform(0, hours * HOUR), 1)


Make = Callable[[random.Random, float, Sequence[str]], Happening]


def _release(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return ReleaseAsked(
        at,
        service=chance.choice(services),
        behaviour=_behaviour(chance),
        by=chance.choice(PEOPLE),
        again=chance.random() < 0.08,
        break_glass="an incident" if chance.random() < 0.1 else "",
    )


def _behaviour(chance: random.Random) -> str:
    return chance.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]


def _train(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return TrainAsked(at, {service: _behaviour(chance) for service in services}, chance.choice(PEOPLE))


def _rollback(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return RollbackAsked(at, chance.choice(services), chance.choice(PEOPLE))


def _stop(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return ExecutionStopped(at, chance.choice(services), chance.choice(("release", "rollback", "watch")))


def _alert(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return AlertFired(
        at, chance.choice(ALERTS), chance.choice(services), chance.choice((60.0, 600.0)), chance.randint(1, 5)
    )


def _pods(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return PodsLost(at, chance.choice(services), chance.randint(1, 2))


def _bug(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return BugWoke(
        at, chance.choice(services), chance.choice((0.05, 0.3, 0.8)), chance.choice((120.0, 900.0))
    )


def _weather(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return WeatherTurned(
        at,
        port=chance.choice(PORTS),
        kind=chance.choice(KINDS),
        probability=chance.choice((0.05, 0.2, 0.5)),
        lasts=chance.choice((30.0, 300.0, 900.0)),
        seconds=chance.choice((1.0, 8.0, 25.0)),
    )


def _post(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return PostTurned(
        at,
        kind=chance.choice(("late", "twice", "refused")),
        probability=chance.choice((0.2, 0.6)),
        lasts=chance.choice((120.0, 900.0)),
    )


def _hours(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    command: Literal["wake", "sleep", "cancel"] = chance.choice(("wake", "sleep", "cancel"))
    return HoursAsked(at, command, chance.choice((0.5, 1.0, 2.0)), chance.choice(PEOPLE))


def _failover(chance: random.Random, at: float, services: Sequence[str]) -> Happening:
    return FailoverAsked(at, chance.choice(("database/main", "cache/sessions")), chance.choice(PEOPLE[1:]))


_SHARED: list[tuple[Make, int]] = [
    (_release, 12),
    (_weather, 10),
    (_post, 4),
    (_alert, 4),
    (_rollback, 3),
    (_stop, 3),
    (_bug, 3),
    (_pods, 2),
    (_train, 2),
]
_ALWAYS = [*_SHARED, (_failover, 2)]
_SLEEPING = [*_SHARED, (_hours, 4)]
