"""What versions do in virtual time: the lab's behaviours, and what only a simulated day has the time for."""

from __future__ import annotations

from lab.traffic import behaviour as lab
from lab.traffic.behaviour import Version, digest_of


class Behaviour(lab.Behaviour, frozen=True, forbid_unknown_fields=True):
    """How a version behaves. Times are virtual seconds, rates are shares of requests."""

    start_seconds: float = 6.0
    seconds: float = 0.05
    job_seconds: float = 20.0
    # Its Pods ask for more than any node has.
    unschedulable: bool = False
    # For this long after it listens, `cold_slow_rate` of the answers take `slow_seconds`.
    cold_seconds: float = 0.0
    cold_slow_rate: float = 0.3
    # From so long after it listens on, this share of all requests to its service fails while it gets any: it takes
    # what all versions share.
    poisons: float = 0.0
    poisons_after: float = 0.0


BEHAVIOURS: dict[str, Behaviour] = {
    "good": Behaviour(error_rate=0.001, slow_rate=0.002, slow_seconds=2.5),
    "bad": Behaviour(error_rate=0.2),
    "subtle": Behaviour(error_rate=0.02),
    "broken": Behaviour(error_rate=1.0),
    "slow": Behaviour(slow_rate=0.5, slow_seconds=2.5),
    "cold": Behaviour(cold_seconds=120.0, slow_seconds=2.5),
    "late": Behaviour(error_rate=0.001, leak_after=5400.0),
    "crash": Behaviour(crash_after=0.0),
    "crash-late": Behaviour(crash_after=1800.0),
    "never-ready": Behaviour(ready=False),
    "unhealthy": Behaviour(balancer_unhealthy=True),
    "job-fails": Behaviour(job_exit_code=1),
    "job-hangs": Behaviour(job_seconds=86400.0),
    "unpullable": Behaviour(pullable=False),
    "unschedulable": Behaviour(unschedulable=True),
    "smoke-fails": Behaviour(smoke_fails=True),
    "hang": Behaviour(hang_rate=0.3),
    "reset": Behaviour(reset_rate=0.3),
    "half-answer": Behaviour(half_answer_rate=0.3),
    "poison": Behaviour(error_rate=0.001, poisons=0.3, poisons_after=420.0),
}


class Versions:
    """The registry: images by digest."""

    def __init__(self) -> None:
        self._known: dict[str, Behaviour] = {}

    def register(self, service: str, name: str, behaviour: str | Behaviour = "good") -> Version:
        """Put a version of a service in the registry."""
        chosen = BEHAVIOURS[behaviour] if isinstance(behaviour, str) else behaviour
        made = Version(service, name, digest_of(service, name), chosen)
        self._known[made.digest] = chosen
        return made

    def of_image(self, image: str) -> Behaviour | None:
        """What an image does, by the digest of its reference; None for one that nobody registered."""
        return self._known.get(image.partition("@")[2])


# Moments are kept to the millisecond: what is due at one may come that much early.
_EARLY = 0.001


def shares(behaviour: Behaviour, up: float) -> tuple[float, float, float]:
    """Shares of requests that fail, that are slow, and that get no answer, `up` seconds after it began to listen."""
    leaks = behaviour.leak_after is not None and up + _EARLY >= behaviour.leak_after
    cold = up + _EARLY < behaviour.cold_seconds
    return (
        behaviour.leak_error_rate if leaks else behaviour.error_rate,
        max(behaviour.slow_rate, behaviour.cold_slow_rate) if cold else behaviour.slow_rate,
        min(1.0, behaviour.hang_rate + behaviour.reset_rate + behaviour.half_answer_rate),
    )


def poison(behaviour: Behaviour, up: float) -> float:
    """The share of all requests to its service that fail because of it, `up` seconds after it began to listen."""
    return behaviour.poisons if up + _EARLY >= behaviour.poisons_after else 0.0


def turns(behaviour: Behaviour) -> list[float]:
    """How long after it began to listen its shares change."""
    found = [behaviour.cold_seconds] if behaviour.cold_seconds else []
    found += [behaviour.poisons_after] if behaviour.poisons else []
    return found + ([] if behaviour.leak_after is None else [behaviour.leak_after])
