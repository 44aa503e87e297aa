"""What happens on a day, drawn from a seed before it begins: what people ask for, what breaks, what the weather is.

A plan is a list of values, so that a failing day can be told, repeated, and shrunk by leaving things out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from lab.simulator.cast import Cast, usual

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
    "hang": 1,
    "reset": 1,
    "half-answer": 1,
}


class Happening(msgspec.Struct, frozen=True, tag=True):
    """Something that happens `at` seconds after the day began; or `after` seconds after the next call of `on`.

    What matters most happens while something else is half done, which no draw of a time would often meet.
    """

    at: float
    # A function's folder; empty for at once.
    on: str = ""
    after: float = 0.0


class ReleaseAsked(Happening, frozen=True, kw_only=True):
    """Somebody starts a release of a new version; or of the version of the release before, when `again`."""

    service: str
    behaviour: str
    by: str
    again: bool = False
    break_glass: str = ""


class ConfigurationAsked(Happening, frozen=True, kw_only=True):
    """The stack is updated with another configuration of a service, and somebody releases what is live with it."""

    service: str
    by: str


class TrainAsked(Happening, frozen=True, kw_only=True):
    """Somebody starts a train; behaviours by service."""

    cars: dict[str, str]
    by: str


class RollbackAsked(Happening, frozen=True, kw_only=True):
    """Somebody takes a service back by hand."""

    service: str
    by: str


class SteeringAsked(Happening, frozen=True, kw_only=True):
    """Somebody pauses the release of a service that runs, promotes it now, aborts it, or freezes releases for a while.

    `lasts` is how long a pause or freeze is meant for, in seconds; 0: nobody comes back to it.
    """

    service: str
    action: Literal["pause", "promote", "abort", "freeze"]
    by: str
    lasts: float = 0.0


class ExecutionStopped(Happening, frozen=True, kw_only=True):
    """Somebody stops an execution in the console: the newest of a service's that still runs."""

    service: str
    machine: Literal["release", "rollback", "watch"]


class AlertFired(Happening, frozen=True, kw_only=True):
    """Alertmanager delivers an alert about something, `repeats` times, and that it is over after `lasts` seconds."""

    name: str
    # A label and its value: what it is about.
    about: tuple[str, str]
    lasts: float
    repeats: int


class PodsLost(Happening, frozen=True, kw_only=True):
    """A node is lost: some Pods of a service's stable slot are gone and come back elsewhere."""

    service: str
    pods: int


class DriftMade(Happening, frozen=True, kw_only=True):
    """Somebody with kubectl changes what serves: deletes its autoscaler, scales it to 0, or sets another image."""

    service: str
    thing: Literal["autoscaler", "replicas", "image"]


class BugWoke(Happening, frozen=True, kw_only=True):
    """The version that serves begins to fail, and goes on for `lasts` seconds."""

    service: str
    errors: float
    lasts: float


class OutageCame(Happening, frozen=True, kw_only=True):
    """What all versions of a service share is broken for `lasts` seconds: so many of all its requests fail."""

    service: str
    errors: float
    lasts: float


class WeatherTurned(Happening, frozen=True, kw_only=True):
    """For `lasts` seconds calls of a port (`*` for all) go wrong in one way, each with a probability."""

    port: str
    kind: str
    probability: float
    lasts: float
    # How slow or how late.
    seconds: float = 0.0


class PostTurned(Happening, frozen=True, kw_only=True):
    """For `lasts` seconds events and messages are delayed, doubled or refused."""

    kind: Literal["late", "twice", "refused"]
    probability: float
    lasts: float


class HoursAsked(Happening, frozen=True, kw_only=True):
    """Somebody wants the environment awake for some more hours, or asleep now."""

    command: Literal["wake", "sleep", "cancel"]
    hours: float
    by: str


class FailoverAsked(Happening, frozen=True, kw_only=True):
    """Somebody asks for a failover of a database or a cache inside the region."""

    target: str
    by: str


class DrillAsked(Happening, frozen=True, kw_only=True):
    """Somebody drills the backups."""

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
        | ConfigurationAsked
        | TrainAsked
        | RollbackAsked
        | SteeringAsked
        | ExecutionStopped
        | AlertFired
        | PodsLost
        | DriftMade
        | BugWoke
        | OutageCame
        | WeatherTurned
        | PostTurned
        | HoursAsked
        | FailoverAsked
        | DrillAsked,
        ...,
    ]
    # The service whose releases run a migration before anything of their version; empty for none.
    migrated: str = ""


# What others may come into the middle of.
WHILE = (
    "begin_release",
    "deploy_slot",
    "scale_slot",
    "shift_weights",
    "shift_weights",
    "run_analysis",
    "promote_release",
    "restore_traffic",
    "retire_slot",
    "finish_rollback",
    "reconcile_traffic",
    "reconcile_cluster",
    "handle_signal",
    "act_on_signal",
    "advance_capacity",
    "step_failover",
)
# What each of these functions writes, by the port.
SLOW_AT = {
    "shift_weights": "rules",
    "restore_traffic": "rules",
    "reconcile_traffic": "rules",
    "deploy_slot": "cluster",
    "scale_slot": "cluster",
    "retire_slot": "cluster",
    "reconcile_cluster": "cluster",
    "promote_release": "records",
}
# Ports whose calls can go wrong, and how often each is chosen.
PORTS = (
    "records",
    "rules",
    "cluster",
    "executions",
    "journal_store",
    "bus",
    "windows",
    "guards",
    "*",
    "*",
    "*",
)
KINDS = ("throttled", "refused", "lost", "late", "slow", "dies_before", "dies_after")
OTHER_ALERTS = {"database": "DatabaseUnavailable", "cache": "CacheUnavailable"}
ALERTS = ("ServiceDown", "ErrorRateCritical", "ErrorRateHigh", "LatencyHigh")


def draw(seed: int, casts: Sequence[Cast] = ()) -> Day:
    """The day of a seed, in one of the environments of the casts; by default in the usual catalog's."""
    chance = random.Random(f"day/{seed}")
    casts = casts or usual()
    cast = chance.choices(casts, [each.weight for each in casts])[0]
    known = cast.services
    cast = msgspec.structs.replace(
        cast, services=tuple(sorted(chance.sample(known, min(chance.randint(1, 3), len(known)))))
    )
    # Two years of days: weekdays, weekends, changes of daylight saving time, the freeze at the year's end.
    first = datetime(2026, 9, 1, 6, tzinfo=UTC)
    start = first + timedelta(days=chance.randrange(730), minutes=chance.randrange(720))
    hours = chance.choice((4.0, 14.0)) if cast.sleeps else chance.choice((3.0, 4.0, 6.0))
    makers = _makers(cast)
    count = chance.randint(2, 3) + round(hours)
    kinds = chance.choices([make for make, _ in makers], [weight for _, weight in makers], k=count)
    happenings = [make(chance, _moment(chance, hours), cast) for make in kinds]
    # Bad weather comes while something happens: otherwise there is nobody to feel it.
    for _ in range(chance.randint(0, 4)):
        at = chance.choice(happenings).at + chance.uniform(-60.0, 2400.0)
        make = chance.choices((_weather, _post), (3, 1))[0]
        happenings.append(make(chance, round(min(max(at, 0.0), hours * HOUR), 1), cast))
    happenings = [_timed(chance, each) for each in happenings]
    if chance.random() < 0.5:
        happenings += _collision(chance, chance.choice(happenings).at, cast)
    # Of its own chance, so that what else happens on a day stays what it was.
    happenings += _shared_trouble(random.Random(f"shared/{seed}"), happenings, hours, cast)
    inside, more = _inside(random.Random(f"inside/{seed}"), cast, hours)
    happenings += more
    everybody = msgspec.structs.replace(cast, services=(*cast.services, *inside))
    happenings += _configurations(random.Random(f"configuration/{seed}"), everybody, hours)
    stateful, more = _stateful(random.Random(f"stateful/{seed}"), cast, hours)
    happenings += more
    happenings += _steerings(random.Random(f"steering/{seed}"), happenings, hours, everybody)
    migrated, happenings = _migrations(random.Random(f"jobs/{seed}"), happenings, cast)
    happenings.sort(key=lambda each: each.at)
    return Day(
        seed,
        cast.environment,
        start.timestamp(),
        hours,
        (*everybody.services, *stateful),
        tuple(happenings),  # type: ignore[arg-type]
        migrated,
    )


def _migrations(
    chance: random.Random, happenings: list[Happening], cast: Cast
) -> tuple[str, list[Happening]]:
    """On one day of four a service's releases have a migration, and that of some versions fails, or does not end."""
    if chance.random() >= 0.25:
        return "", happenings
    service = cast.services[0]

    def drawn(each: Happening) -> Happening:
        if not isinstance(each, ReleaseAsked) or each.service != service or chance.random() >= 0.4:
            return each
        return msgspec.structs.replace(each, behaviour=chance.choice(("job-fails", "job-fails", "job-hangs")))

    return service, [drawn(each) for each in happenings]


def _timed(chance: random.Random, each: Happening) -> Happening:
    """Half of what happens waits for the next call of a function, and comes right into it."""
    if chance.random() < 0.5:
        return each
    return msgspec.structs.replace(each, on=chance.choice(WHILE), after=round(chance.expovariate(4.0), 3))


def _collision(chance: random.Random, at: float, cast: Cast) -> list[Happening]:
    """A function's calls take long, or land late, and somebody takes the service over meanwhile."""
    function = chance.choice(list(SLOW_AT))
    weather = WeatherTurned(
        at,
        on=function,
        port=SLOW_AT[function],
        kind=chance.choice(("slow", "late", "late")),
        probability=0.7,
        lasts=60.0,
        seconds=chance.choice((2.0, 8.0, 15.0)),
    )
    service, by, after = (
        chance.choice(cast.services),
        chance.choice(cast.people),
        round(chance.uniform(0.1, 10.0), 3),
    )
    other: Happening = RollbackAsked(at, on=function, after=after, service=service, by=by)
    if chance.random() < 0.3:
        other = ReleaseAsked(at, on=function, after=after, service=service, behaviour="good", by=by)
    return [weather, other]


def _shared_trouble(
    chance: random.Random, happenings: Sequence[Happening], hours: float, cast: Cast
) -> list[Happening]:
    """Now and then a release breaks what all versions share, or it breaks by itself while a canary is out."""
    asked = [each for each in happenings if isinstance(each, ReleaseAsked)]
    if not asked or chance.random() < 0.6:
        return []
    release = chance.choice(asked)
    if chance.random() < 0.5:
        at = round(chance.uniform(0, hours * HOUR), 1)
        return [ReleaseAsked(at, service=release.service, behaviour="poison", by=chance.choice(cast.people))]
    outage = OutageCame(
        min(round(release.at + chance.uniform(0, 1800.0), 1), hours * HOUR),
        service=release.service,
        errors=chance.choice((0.05, 0.2, 0.45)),
        lasts=chance.choice((120.0, 600.0, 1800.0)),
    )
    return [outage]


def _inside(chance: random.Random, cast: Cast, hours: float) -> tuple[tuple[str, ...], list[Happening]]:
    """On half of the days: services that no load balancer knows, and what happens to them."""
    if not cast.inside or chance.random() < 0.5:
        return (), []
    some = tuple(sorted(chance.sample(cast.inside, chance.randint(1, min(2, len(cast.inside))))))
    only = msgspec.structs.replace(cast, services=some)
    kinds = chance.choices([make for make, _ in _INSIDE], [weight for _, weight in _INSIDE], k=len(some) + 2)
    return some, [_timed(chance, make(chance, _moment(chance, hours), only)) for make in kinds]


def _stateful(chance: random.Random, cast: Cast, hours: float) -> tuple[tuple[str, ...], list[Happening]]:
    """On a third of the days: a StatefulSet, and what happens to it."""
    if not cast.stateful or chance.random() >= 0.35:
        return (), []
    some = (chance.choice(cast.stateful),)
    only = msgspec.structs.replace(cast, services=some)
    makers: list[tuple[Make, int]] = [*_INSIDE, (_configuration, 2)]
    kinds = chance.choices([make for make, _ in makers], [weight for _, weight in makers], k=3)
    made = [_release(chance, _moment(chance, hours), only)]
    made += [make(chance, _moment(chance, hours), only) for make in kinds]
    return some, [_timed(chance, each) for each in made]


def _configurations(chance: random.Random, cast: Cast, hours: float) -> list[Happening]:
    """On a third of the days: releases of another configuration of what is live."""
    count = chance.randint(1, 2) if chance.random() < 0.35 else 0
    return [_timed(chance, _configuration(chance, _moment(chance, hours), cast)) for _ in range(count)]


def _steerings(
    chance: random.Random, happenings: Sequence[Happening], hours: float, cast: Cast
) -> list[Happening]:
    """On half of the days: what people do to releases that run, in the minutes after one was asked for."""
    asked = [each for each in happenings if isinstance(each, ReleaseAsked)]
    if not asked or chance.random() < 0.5:
        return []
    made = []
    for _ in range(chance.randint(1, 3)):
        release = chance.choice(asked)
        action: Literal["pause", "promote", "abort", "freeze"] = chance.choices(
            ("pause", "promote", "abort", "freeze"), (4, 3, 1, 2)
        )[0]
        by = chance.choice(cast.approvers if action == "promote" and chance.random() < 0.8 else cast.people)
        lasts = chance.choice((0.0, 60.0, 900.0, 7200.0)) if action in ("pause", "freeze") else 0.0
        made.append(
            _timed(
                chance,
                SteeringAsked(
                    min(round(release.at + chance.expovariate(1 / 600), 1), hours * HOUR),
                    service=release.service,
                    action=action,
                    by=by,
                    lasts=lasts,
                ),
            )
        )
    return made


def _moment(chance: random.Random, hours: float) -> float:
    return round(chance.uniform(0, hours * HOUR), 1)


Make = Callable[[random.Random, float, Cast], Happening]


def _release(chance: random.Random, at: float, cast: Cast) -> Happening:
    return ReleaseAsked(
        at,
        service=chance.choice(cast.services),
        behaviour=_behaviour(chance),
        by=chance.choice(cast.people),
        again=chance.random() < 0.08,
        break_glass="an incident" if chance.random() < 0.1 else "",
    )


def _configuration(chance: random.Random, at: float, cast: Cast) -> Happening:
    return ConfigurationAsked(at, service=chance.choice(cast.services), by=chance.choice(cast.people))


def _behaviour(chance: random.Random) -> str:
    return chance.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]


def _train(chance: random.Random, at: float, cast: Cast) -> Happening:
    return TrainAsked(
        at, cars={service: _behaviour(chance) for service in cast.services}, by=chance.choice(cast.people)
    )


def _rollback(chance: random.Random, at: float, cast: Cast) -> Happening:
    return RollbackAsked(at, service=chance.choice(cast.services), by=chance.choice(cast.people))


def _stop(chance: random.Random, at: float, cast: Cast) -> Happening:
    return ExecutionStopped(
        at, service=chance.choice(cast.services), machine=chance.choice(("release", "rollback", "watch"))
    )


def _alert(chance: random.Random, at: float, cast: Cast) -> Happening:
    name, about = chance.choice(ALERTS), ("service", chance.choice(cast.services))
    if chance.random() < 0.2 and cast.things:
        about = chance.choice(cast.things)
        name = OTHER_ALERTS[about[0]]
    return AlertFired(
        at, name=name, about=about, lasts=chance.choice((60.0, 600.0)), repeats=chance.randint(1, 5)
    )


def _pods(chance: random.Random, at: float, cast: Cast) -> Happening:
    return PodsLost(at, service=chance.choice(cast.services), pods=chance.randint(1, 2))


def _drift(chance: random.Random, at: float, cast: Cast) -> Happening:
    thing: Literal["autoscaler", "replicas", "image"] = chance.choice(("autoscaler", "replicas", "image"))
    return DriftMade(at, service=chance.choice(cast.services), thing=thing)


def _bug(chance: random.Random, at: float, cast: Cast) -> Happening:
    return BugWoke(
        at,
        service=chance.choice(cast.services),
        errors=chance.choice((0.05, 0.3, 0.8)),
        lasts=chance.choice((120.0, 900.0)),
    )


def _weather(chance: random.Random, at: float, cast: Cast) -> Happening:
    return WeatherTurned(
        at,
        port=chance.choice(PORTS),
        kind=chance.choice(KINDS),
        probability=chance.choice((0.05, 0.2, 0.5)),
        lasts=chance.choice((120.0, 600.0, 1800.0)),
        seconds=chance.choice((1.0, 8.0, 25.0)),
    )


def _post(chance: random.Random, at: float, cast: Cast) -> Happening:
    return PostTurned(
        at,
        kind=chance.choice(("late", "twice", "refused")),
        probability=chance.choice((0.2, 0.6)),
        lasts=chance.choice((120.0, 900.0)),
    )


def _hours(chance: random.Random, at: float, cast: Cast) -> Happening:
    command: Literal["wake", "sleep", "cancel"] = chance.choice(("wake", "sleep", "cancel"))
    return HoursAsked(
        at, command=command, hours=chance.choice((0.5, 1.0, 2.0)), by=chance.choice(cast.people)
    )


def _failover(chance: random.Random, at: float, cast: Cast) -> Happening:
    return FailoverAsked(at, target="/".join(chance.choice(cast.things)), by=chance.choice(cast.approvers))


def _drill(chance: random.Random, at: float, cast: Cast) -> Happening:
    return DrillAsked(at, by=chance.choice(cast.people))


_SHARED: list[tuple[Make, int]] = [
    (_release, 12),
    (_alert, 4),
    (_rollback, 3),
    (_stop, 3),
    (_bug, 3),
    (_pods, 2),
    (_drift, 2),
    (_train, 2),
]


# What can happen to a service that no load balancer knows; it is in no train, and has no bug to wake.
_INSIDE: list[tuple[Make, int]] = [
    (_release, 6),
    (_rollback, 2),
    (_stop, 2),
    (_pods, 1),
    (_drift, 1),
    (_alert, 1),
]


def _makers(cast: Cast) -> list[tuple[Make, int]]:
    """What can happen in an environment, and how often each is chosen."""
    if cast.sleeps:
        return [*_SHARED, (_hours, 4)]
    failing: list[tuple[Make, int]] = [(_failover, 2)] if cast.things else []
    return [*_SHARED, *failing, *([(_drill, 1)] if cast.databases else [])]
