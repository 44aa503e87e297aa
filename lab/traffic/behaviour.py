"""What a version of a service does: the table of images that the lab's registry holds.

An image is known by its digest. A digest that nobody registered cannot be pulled, as on a real
registry.
"""

from __future__ import annotations

import hashlib
import math
import random

import msgspec


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a version behaves. Times are real seconds, rates are shares of requests."""

    # Share of requests answered with `error_status`.
    error_rate: float = 0.0
    error_status: int = 500
    # Paths, and the share of requests that fail besides at each.
    error_rate_at: tuple[tuple[str, float], ...] = ()
    # A usual answer takes this long, and a share of answers `slow_seconds`. With a spread it is the median: the times are
    # log-normal, and the spread is the standard deviation of their natural logarithm.
    seconds: float = 0.002
    spread: float = 0.0
    slow_rate: float = 0.0
    slow_seconds: float = 1.0
    # Shares of requests that it takes and never answers: it is silent until the load balancer gives up, it resets the
    # connection, or it closes it within the answer's head.
    hang_rate: float = 0.0
    reset_rate: float = 0.0
    half_answer_rate: float = 0.0
    # How many queries a request makes of the database that all versions of the service share (`lab.traffic.database`).
    queries: float = 0.0
    # For this long after a Pod's first user came, so much of the answers is slow, and so much of the requests fails.
    cold_seconds: float = 0.0
    cold_slow_rate: float = 0.3
    cold_error_rate: float = 0.0
    # As a worker: how many jobs a Pod that is ready takes up a second, by itself; `error_rate` of them fail.
    jobs_per_second: float = 0.0
    # As a Job: for how long it works, and the exit code that it ends with.
    job_seconds: float = 0.5
    job_exit_code: int = 0
    # From the start of the process until it listens.
    start_seconds: float = 0.2
    # Whether the image can be pulled at all.
    pullable: bool = True
    # Whether the health path ever answers 200.
    ready: bool = True
    # Answers the load balancer's health checks (but not the cluster's probes) with 503.
    balancer_unhealthy: bool = False
    # Answers requests that carry the smoke test's header with 500.
    smoke_fails: bool = False
    # The process exits this long after it started to listen; None: never.
    crash_after: float | None = None
    # Turns into `error_rate` = `leak_error_rate` this long after it started to listen; None: never.
    leak_after: float | None = None
    leak_error_rate: float = 0.5


BEHAVIOURS: dict[str, Behaviour] = {
    "good": Behaviour(),
    "bad": Behaviour(error_rate=0.2),
    "broken": Behaviour(error_rate=1.0),
    "slow": Behaviour(slow_rate=0.5, slow_seconds=2.5),
    "crash": Behaviour(crash_after=0.0, start_seconds=0.1),
    "never-ready": Behaviour(ready=False),
    "unhealthy": Behaviour(balancer_unhealthy=True),
    "unpullable": Behaviour(pullable=False),
    "smoke-fails": Behaviour(smoke_fails=True),
    "job-fails": Behaviour(job_exit_code=1),
    "job-hangs": Behaviour(job_seconds=86400.0),
    "leak": Behaviour(leak_after=10.0),
    "hang": Behaviour(hang_rate=0.3),
    "reset": Behaviour(reset_rate=0.3),
    "half-answer": Behaviour(half_answer_rate=0.3),
}


def seconds_of(behaviour: Behaviour, cold: bool, chance: random.Random) -> float:
    """For how many seconds one answer keeps a user waiting; `cold` says whether the Pod still is."""
    slow_rate = max(behaviour.slow_rate, behaviour.cold_slow_rate if cold else 0.0)
    if slow_rate and chance.random() < slow_rate:
        return behaviour.slow_seconds
    if behaviour.spread:
        return chance.lognormvariate(math.log(behaviour.seconds), behaviour.spread)
    return behaviour.seconds


class Version(msgspec.Struct, frozen=True):
    """An image in the registry."""

    service: str
    version: str
    digest: str
    behaviour: Behaviour


def digest_of(service: str, version: str) -> str:
    """The digest under which the lab's registry holds a version of a service."""
    return "sha256:" + hashlib.sha256(f"{service}:{version}".encode()).hexdigest()


def version(service: str, name: str, behaviour: str | Behaviour = "good") -> Version:
    """An image of a service, by the name of a behaviour or one of one's own.

    Raises
    ------
    ValueError
        When there is no behaviour of that name.
    """
    if isinstance(behaviour, str):
        if behaviour not in BEHAVIOURS:
            raise ValueError(f"there is no behaviour {behaviour!r}; there are {', '.join(BEHAVIOURS)}")
        behaviour = BEHAVIOURS[behaviour]
    return Version(service, name, digest_of(service, name), behaviour)
